import numpy as np
import pytest

from polyseme.artifact import Precision
from polyseme.export import UnsupportedError
from polyseme.export.weights import write_weights


class Weights:
    """What write_weights takes of an encoder."""

    def __init__(self, **values):
        self.values = values

    def initializers(self):
        yield from self.values.items()


MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("precision", Precision)
def test_what_is_written_is_found_where_the_entry_says(tmp_path, precision):
    encoder = Weights(a=MATRIX.T, b=np.float32([1.5]), c=MATRIX)
    entries = write_weights(encoder, precision, tmp_path / "w")
    content = np.fromfile(tmp_path / "w", np.uint8)
    assert [(entry.name, entry.offset) for entry in entries] == [("a", 0), ("b", 64), ("c", 128)]
    for entry, values in zip(entries, encoder.values.values(), strict=True):
        np.testing.assert_array_equal(entry.view(content, precision.dtype), values)


@pytest.mark.parametrize("value", [65520.0, -70000.0])
def test_a_weight_beyond_fp16_is_refused(tmp_path, value):
    encoder = Weights(huge=np.float32([0, value]))
    with pytest.raises(UnsupportedError, match=r"weight huge has .*; fp16 ends at 65504: export with --precision fp32"):
        write_weights(encoder, Precision.FP16, tmp_path / "w")
    write_weights(encoder, Precision.FP32, tmp_path / "w")


def test_the_largest_fp16_is_kept(tmp_path):
    write_weights(Weights(a=np.float32([65504, -65504])), Precision.FP16, tmp_path / "w")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "w", "<f2"), [65504, -65504])
