import numpy as np
import pytest

from polyseme.artifact import Layout, Precision
from polyseme.export import UnsupportedError
from polyseme.export.graphs.weights import write_weights


class Weights:
    """What write_weights takes of an encoder."""

    def __init__(self, **values):
        self.values = values

    def initializers(self):
        yield from self.values.items()

    def packed_initializers(self):
        yield "layers.0.query.bias", np.float32([7])


MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("precision", Precision)
def test_what_is_written_is_found_where_the_entry_says(tmp_path, precision):
    encoder = Weights(a=MATRIX.T, b=np.float32([1.5]), c=MATRIX)
    entries = write_weights(encoder, precision, tmp_path / "w", [Layout.PADDED])[Layout.PADDED]
    content = np.fromfile(tmp_path / "w", np.uint8)
    assert [(entry.name, entry.offset) for entry in entries] == [("a", 0), ("b", 64), ("c", 128)]
    for entry, values in zip(entries, encoder.values.values(), strict=True):
        np.testing.assert_array_equal(entry.view(content, precision.dtype), values)


def test_layouts_share_what_both_have(tmp_path):
    encoder = Weights(**{"word": MATRIX, "layers.0.qkv.bias": MATRIX, "layers.0.attention.norm.bias": MATRIX})
    entries = write_weights(encoder, Precision.FP16, tmp_path / "w", Layout)
    padded, packed = ({entry.name: entry for entry in entries[layout]} for layout in Layout)
    assert set(padded) - set(packed) == {"layers.0.qkv.bias"}
    assert set(packed) - set(padded) == {"layers.0.query.bias"}
    assert packed["word"] == padded["word"]
    assert (tmp_path / "w").stat().st_size == packed["layers.0.query.bias"].offset + 2


@pytest.mark.parametrize("value", [65520.0, -70000.0])
def test_a_weight_beyond_fp16_is_refused(tmp_path, value):
    encoder = Weights(huge=np.float32([0, value]))
    with pytest.raises(UnsupportedError, match=r"weight huge has .*; fp16 ends at 65504: export with --precision fp32"):
        write_weights(encoder, Precision.FP16, tmp_path / "w", Layout)
    write_weights(encoder, Precision.FP32, tmp_path / "w", Layout)


def test_the_largest_fp16_is_kept(tmp_path):
    write_weights(Weights(a=np.float32([65504, -65504])), Precision.FP16, tmp_path / "w", [Layout.PADDED])
    np.testing.assert_array_equal(np.fromfile(tmp_path / "w", "<f2"), [65504, -65504])
