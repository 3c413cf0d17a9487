"""Models that leave the range of fp16: the blocks that do are named, and computed in fp32."""

import numpy as np
import onnx
import pytest
from tests.artifact.samples import seal
from tests.export.checkpoints import change_weights

from polyseme.artifact import Artifact, InvalidManifestError, Layout, Precision
from polyseme.export import ExportOptions, GateError, export_model
from polyseme.export.routes import native

FACTOR = 3e4


def enlarge(weights):
    """What the first layer's feed-forward block gives to its LayerNorm, which takes it out again."""
    name = "encoder.layer.0.output.dense.weight"
    weights[name] = weights[name] * FACTOR


def enlarge_attention(weights):
    name = "encoder.layer.1.attention.output.dense.weight"
    weights[name] = weights[name] * FACTOR


def test_an_ordinary_model_has_no_fp32_blocks(tiny_artifact):
    manifest = Artifact.open(tiny_artifact).manifest
    assert [entry.fp32_blocks for entry in manifest.precisions.values()] == [(), ()]


@pytest.mark.parametrize(
    ("change", "block"), [(enlarge, "layers.0.feed_forward"), (enlarge_attention, "layers.1.attention")]
)
def test_a_block_beyond_fp16_is_a_block_in_fp32(checkpoint, tmp_path, change, block):
    change_weights(checkpoint, change)
    artifact = export_model(str(checkpoint), tmp_path / "out", ExportOptions())
    entries = Artifact.open(tmp_path / "out").manifest.precisions
    assert (entries[Precision.FP32].fp32_blocks, entries[Precision.FP16].fp32_blocks) == ((), (block,))
    report = artifact.manifest.parity
    assert min(report["fp16"]["pooled_cosine"], report["fp16 packed"]["pooled_cosine"]) > 0.999995
    for graphs in (entries[Precision.FP16].graphs, entries[Precision.FP16].packed.graphs):
        for name in graphs.values():
            nodes = {node.name: node for node in onnx.load(artifact.path(name), load_external_data=False).graph.node}
            widened = {name.partition(".wide")[0] for name in nodes if name.startswith(block) and ".wide" in name}
            assert len(widened) >= 6, "its weights and what comes in"
    assert not list((tmp_path / "out").glob("overflow*"))


def test_without_islands_it_would_be_refused(checkpoint, tmp_path, monkeypatch):
    change_weights(checkpoint, enlarge)
    monkeypatch.setattr(native, "find_fp32_blocks", lambda *_: ())
    with pytest.raises(GateError, match="fp16 is not equal to the reference"):
        export_model(str(checkpoint), tmp_path / "out", ExportOptions())


def test_fp16_alone_is_looked_at_too(checkpoint, tmp_path):
    change_weights(checkpoint, enlarge)
    artifact = export_model(str(checkpoint), tmp_path / "out", ExportOptions(precisions=(Precision.FP16,)))
    assert artifact.manifest.precisions[Precision.FP16].fp32_blocks == ("layers.0.feed_forward",)


@pytest.mark.parametrize("value", ["x", [3], ["a\nb"], ["layers.0.attention"] * 3000])
def test_islands_without_sense_are_refused(tiny_artifact, value):
    import json

    document = json.loads((tiny_artifact / "manifest.json").read_bytes())
    document["precisions"]["fp16"]["fp32_blocks"] = value
    with pytest.raises(InvalidManifestError, match=r"precisions.fp16.fp32_blocks"):
        type(Artifact.open(tiny_artifact).manifest).from_json(seal(document))


def test_numbers_that_are_none_make_a_block_in_fp32(tiny_checkpoint, tmp_path, monkeypatch):
    from polyseme.export.encoders.architectures import bert
    from polyseme.export.gates import overflow
    from polyseme.export.graphs.weights import write_weights
    from polyseme.export.reading.checkpoint import Checkpoint

    run = overflow.run_each

    def spoil(graph, feeds, names):
        for values in run(graph, feeds, names):
            values[names.index("layers.1.output")][0, 0, 0] = np.nan
            yield values

    monkeypatch.setattr(overflow, "run_each", spoil)
    source = Checkpoint(tiny_checkpoint)
    config = bert.read_config(source)
    weights = tmp_path / "weights.bin"
    tensors = write_weights(bert.read_encoder(source, config), Precision.FP32, weights, [Layout.PADDED])[Layout.PADDED]
    assert overflow.find_fp32_blocks(config, [[2, 7, 3], [2, 3]], weights, tensors) == ("layers.1.feed_forward",)
    assert list(tmp_path.iterdir()) == [weights]
