"""What is loaded where, and which kernels a batch takes."""

import pytest
from tests.cuda.fake import launched, wrong
from tests.cuda.texts import texts

from polyseme.artifact import Layout, Variant
from polyseme.artifact.graphs import NORMALIZED, SPAN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.registry import make_engine

pytestmark = pytest.mark.cuda

LAYERS = 6  # of all-MiniLM-L6-v2


EXPECTED = {"flash::flash_fwd": LAYERS, "SkipLayerNorm": 2 * LAYERS, "BiasGelu": LAYERS, "EmbedLayerNorm": 1}
"""Launches of a run, by a part of their kernels' names."""


def times_of(kernels, part):
    return sum(times for name, times in kernels.items() if part in name)


def copied(lines, way):
    """Bytes of each copy that goes one way."""
    return [int(line.split(f" {way} ")[1].split()[0]) for line in lines if f" {way} " in line]


def weight_bytes(artifact, device, layout):
    return sum(tensor.nbytes for tensor in artifact.weights(device.precision, layout).values())


def steady(runtime, engine, variant, batch, outputs, selection=None):
    """The journal of a run that is not the first of its shape."""
    for _ in range(2):
        engine.run(variant, batch, outputs, selection)
    with runtime.journal() as lines:
        arrays = engine.run(variant, batch, outputs, selection)
    return lines, arrays


def test_a_gpu_gets_the_packed_engine_and_nothing_is_wrong(runtime, minilm, device, capfd):
    with runtime.journal() as lines:
        engine = make_engine(minilm, [device])
        (vectors,) = engine.run(Variant.EMBED, engine.collate(texts(3, 200, 250)), [NORMALIZED])
    assert isinstance(engine, PackedEngine)
    assert vectors.shape == (3, 384)
    assert wrong(lines) == []
    assert capfd.readouterr().err == ""  # onnxruntime has nothing to say
    engine.close()


@pytest.mark.parametrize("layout", Layout)
def test_weights_are_copied_once_for_all_sessions(runtime, minilm, device, layout):
    with runtime.journal() as lines:
        engine = PackedEngine(minilm, [device]) if layout is Layout.PACKED else PaddedEngine(minilm, device)
    weights = weight_bytes(minilm, device, layout)
    assert weights <= sum(copied(lines, "H2D")) < 1.05 * weights
    engine.close()


def test_a_packed_batch_takes_flash_attention_in_every_layer(runtime, minilm, device):
    engine = PackedEngine(minilm, [device], lanes_per_device=1, buckets=())
    for lengths in ([3], [12, 40, 7], [250] * 10, [256] * 3):
        lines, _ = steady(runtime, engine, Variant.EMBED, engine.collate(texts(*lengths)), [NORMALIZED])
        kernels = launched(lines)
        assert wrong(lines) == []
        assert {part: times_of(kernels, part) for part in EXPECTED} == EXPECTED
        assert sum(kernels.values()) == 5 * LAYERS + 17  # with the bias of q; with pooling, L2 and casts
        assert sum("product" in line for line in lines) == 6 * LAYERS + 1  # q, k, v, output, two; the mean
    engine.close()


def test_a_packed_batch_is_one_copy_in_and_one_out(runtime, minilm, device):
    """Any other would be a node on the host, or an input that lies on the wrong side."""
    engine = PackedEngine(minilm, [device], lanes_per_device=1, buckets=())
    lines, _ = steady(runtime, engine, Variant.EMBED, engine.collate(texts(12, 250, 7)), [NORMALIZED])
    assert (len(copied(lines, "H2D")), copied(lines, "D2H")) == (1, [3 * 384 * 4])
    engine.close()


def test_tokens_and_spans_are_selected_on_the_device(runtime, minilm, device):
    engine = PackedEngine(minilm, [device], lanes_per_device=1, buckets=())
    batch = engine.collate(texts(12, 40))
    lines, (vectors,) = steady(runtime, engine, Variant.LAYERS, batch, [SPAN_VECTORS], every_state(batch, LAYERS))
    assert times_of(launched(lines), "flash::flash_fwd") == LAYERS
    assert copied(lines, "D2H") == [vectors.nbytes]
    assert wrong(lines) == []
    engine.close()
