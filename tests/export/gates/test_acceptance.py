"""Gates that must close: each test breaks one thing that export computes."""

import numpy as np
import onnx
import pytest

from polyseme.artifact import Artifact, Layout, Precision
from polyseme.artifact.graphs import SPAN_VECTORS
from polyseme.export import ExportOptions, GateError, export_model
from polyseme.export.encoders.architectures import bert, post_norm
from polyseme.export.encoders.reference import gelu
from polyseme.export.gates.acceptance import refuse_unfused
from polyseme.export.routes import build, native

FP32 = ExportOptions(name="tiny", precisions=(Precision.FP32,))


def refusal(source, tmp_path, options=FP32):
    with pytest.raises(GateError) as caught:
        export_model(str(source), tmp_path / "out", options)
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".out*")) == []
    return str(caught.value)


def test_an_unfused_layer_closes_the_gate(tiny_artifact):
    model = onnx.load(tiny_artifact / "embed.fp32.onnx", load_external_data=False)
    refuse_unfused(model, 2, "embed.fp32.onnx")
    model.graph.node[1].domain = ""
    with pytest.raises(GateError, match=r"embed\.fp32\.onnx has 1 fused attention operators; 2 are needed"):
        refuse_unfused(model, 2, "embed.fp32.onnx")


def test_an_export_with_an_unfused_layer_is_refused(tiny_checkpoint, tmp_path, monkeypatch):
    assemble = build.assemble

    def unfused(*arguments, **options):
        model = assemble(*arguments, **options)
        model.graph.node[1].domain = ""
        return model

    monkeypatch.setattr(build, "assemble", unfused)
    expected = "embed.fp32.onnx has 1 fused attention operators; 2 are needed, one per layer"
    assert refusal(tiny_checkpoint, tmp_path) == expected


def change_encoder(monkeypatch, change):
    """Let the graph get other weights than the reference."""
    read = bert.read_encoder

    def changed(checkpoint, config):
        encoder = read(checkpoint, config)
        change(encoder)
        return encoder

    monkeypatch.setattr(bert, "read_encoder", changed)


def writable(values):
    values.flags.writeable = True
    return values


def test_swapped_query_and_key_close_the_gate(tiny_checkpoint, tmp_path, monkeypatch):
    def swap(encoder):
        weight = writable(encoder.layers[1].qkv_weight)
        weight[:, :64] = np.concatenate([weight[:, 32:64], weight[:, :32]], axis=1)

    change_encoder(monkeypatch, swap)
    assert "fp32 is not equal to the reference: token_l2 is " in refusal(tiny_checkpoint, tmp_path)


def test_one_weight_off_by_a_little_closes_the_gate(tiny_checkpoint, tmp_path, monkeypatch):
    def nudge(encoder):
        writable(encoder.position_embeddings)[0, 0] += 1e-3

    change_encoder(monkeypatch, nudge)
    assert "limit 1e-05" in refusal(tiny_checkpoint, tmp_path)


def test_another_gelu_closes_the_gate(tiny_checkpoint, tmp_path, monkeypatch):
    def tanh(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    assert not np.allclose(tanh(np.ones(1)), gelu(np.ones(1)), atol=1e-5)
    monkeypatch.setattr(post_norm, "gelu", tanh)
    assert "fp32 is not equal to the reference" in refusal(tiny_checkpoint, tmp_path)


@pytest.mark.parametrize("precisions", [(Precision.FP16,), (Precision.FP32, Precision.FP16)])
def test_fp16_is_judged_too(tiny_checkpoint, tmp_path, monkeypatch, precisions):
    write = native.write_weights

    def spoil(encoder, precision, path, layouts, **dense):
        entries = write(encoder, precision, path, layouts, **dense)
        if precision is Precision.FP16:
            values = np.memmap(path, "<f2", mode="r+")
            (offset,) = (entry.offset for entry in entries[Layout.PADDED] if entry.name == "layers.0.attention.weight")
            values[offset // 2 :][:256] *= -1
            values.flush()
        return entries

    monkeypatch.setattr(native, "write_weights", spoil)
    options = ExportOptions(name="tiny", precisions=precisions)
    assert "fp16 is not equal to the reference" in refusal(tiny_checkpoint, tmp_path, options)


def test_packed_graphs_are_judged_too(tiny_checkpoint, tmp_path, monkeypatch):
    """A weight that they alone have."""
    write = native.write_weights

    def spoil(encoder, precision, path, layouts, **dense):
        entries = write(encoder, precision, path, layouts, **dense)
        for entry in entries.get(Layout.PACKED, ()):
            if entry.name == "layers.1.attention.moved_bias":
                values = np.memmap(path, "<f2", mode="r+")
                values[entry.offset // 2 :][:16] += 1
                values.flush()
        return entries

    monkeypatch.setattr(native, "write_weights", spoil)
    assert "fp16 packed is not equal to the reference" in refusal(tiny_checkpoint, tmp_path, ExportOptions(name="tiny"))


def test_the_pooling_of_spans_is_judged_too(tiny_checkpoint, tmp_path, monkeypatch):
    """Words, and texts without their prompt, are sums of the `layers` graph over tokens."""
    assemble = build.assemble

    def sums_for_means(*arguments, **options):
        model = assemble(*arguments, **options)
        for place, node in enumerate(model.graph.node):
            if node.output[0] == SPAN_VECTORS:
                model.graph.node.insert(place, onnx.helper.make_node("Sign", [node.input[0]], ["ones"]))
                node.input[0] = "ones"
                break
        return model

    monkeypatch.setattr(build, "assemble", sums_for_means)
    assert "fp32 is not equal to the reference: span_l2 is" in refusal(tiny_checkpoint, tmp_path)


def test_the_report_says_what_was_measured(tiny_artifact):
    report = Artifact.open(tiny_artifact).manifest.parity
    assert (report["reference"], report["verify"], report["fused_attention"]) == ("float64 numpy", "standard", 2)
    assert report["lengths"] == [1, 2, 3, 8, 17, 64, 128]
    assert 0 < report["fp32"]["token_l2"] < 1e-5 < report["fp16"]["token_l2"] < 2e-2
    assert list(report["fp32"]["layer_l2"]) == ["0", "1", "2"]


def test_full_runs_every_length(tiny_checkpoint, tmp_path):
    told = []
    options = ExportOptions(name="tiny", max_tokens=24, verify="full")
    artifact = export_model(str(tiny_checkpoint), tmp_path / "out", options, lambda *step: told.append(step))
    assert artifact.manifest.parity["lengths"] == [1, 24]
    compared = [detail for step, *rest in told for detail in rest if step == "comparing with float64"]
    assert compared[0] == "1 token (1 of 25)"
    assert compared[23] == "24 tokens (24 of 25)"
    assert compared[24].startswith("8 texts of ")
