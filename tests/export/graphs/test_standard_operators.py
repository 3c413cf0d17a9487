"""Graphs in ONNX's own operators: what TensorRT is given, as the CPU runs it."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tests.data.golden.make_families import ids
from tests.data.golden.make_padding import ids as ids_with_padding
from tests.export.encoders.architectures.test_families import NAMES, checkpoint

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.export import ExportOptions, GateError, UnsupportedError, export_model
from polyseme.export.graphs.standard_operators import standard
from polyseme.export.routes import build
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session

TENSORRT = ExportOptions(tensorrt=True)


@pytest.fixture(scope="module", params=NAMES)
def artifact(request, tmp_path_factory):
    """One of each architecture."""
    folder = tmp_path_factory.mktemp("standard")
    return export_model(str(checkpoint(request.param, folder)), folder / "out", TENSORRT)


def texts(artifact):
    return [*ids(), *ids_with_padding(artifact.manifest.model.encoder.pad_token_id)]


def run(path, feeds, model=None):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # or it is fused again
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    session = ort.InferenceSession(model or path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


@pytest.mark.parametrize("variant", Variant)
def test_every_output_is_that_of_the_fused_graph(artifact, variant):
    path = artifact.path(artifact.manifest.precisions[Precision.FP32].graphs[variant])
    taken_apart = standard(onnx.load(path, load_external_data=False)).SerializeToString()
    batch = collate(
        texts(artifact), artifact.manifest.model.encoder.pad_token_id, artifact.manifest.model.encoder.padding_idx
    )
    more = every_state(batch, 2).feeds() if variant is Variant.LAYERS else {}
    feeds = {**batch.feeds(), **more}
    for got, want in zip(run(path, feeds, taken_apart), run(path, feeds), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5 * max(1, np.abs(want).max()))


def test_nothing_is_left_that_onnx_does_not_have(artifact):
    for precision, entry in artifact.manifest.precisions.items():
        assert entry.standard == f"embed.{precision.value}.standard.onnx"
        path = artifact.path(entry.standard)
        onnx.checker.check_model(str(path))
        model = onnx.load(path, load_external_data=False)
        assert [opset.domain for opset in model.opset_import] == [""]
        left = {"LpNormalization", "CastLike"}
        assert not [node.op_type for node in model.graph.node if node.domain or node.op_type in left]
        assert not [node.name for node in model.graph.node if node.op_type == "Shape" and node.attribute]
        assert path.stat().st_size < 1 << 20


def test_it_is_judged_as_every_graph_is(artifact):
    report = artifact.manifest.parity
    assert report["fp32 standard"]["pooled_abs"] <= 1e-6
    assert report["fp16 standard"]["pooled_cosine"] >= 0.999995
    fp16 = Device(execution_provider=CPU, precision=Precision.FP16)
    batch = collate(
        texts(artifact), artifact.manifest.model.encoder.pad_token_id, artifact.manifest.model.encoder.padding_idx
    )
    one, other = (Session(artifact, fp16, standard=which).run(batch, ["normalized"])[0] for which in (True, False))
    assert np.einsum("nd,nd->n", one, other).min() > 0.99999


def test_a_graph_that_computes_something_else_is_refused(tiny_checkpoint, tmp_path, monkeypatch):
    def without_a_bias(model):
        made = standard(model)
        node = next(one for one in made.graph.node if one.name == "layers.1.gelu.sum")
        node.op_type = "Sub"
        return made

    monkeypatch.setattr(build, "standard", without_a_bias)
    with pytest.raises(GateError, match="fp32 standard is not equal to the reference"):
        export_model(str(tiny_checkpoint), tmp_path / "out", TENSORRT)


def test_an_export_has_none_unless_it_is_asked_for(tiny_artifact):
    assert {entry.standard for entry in Artifact.open(tiny_artifact).manifest.precisions.values()} == {""}


def test_an_operator_that_export_does_not_write_is_refused_by_name(tiny_artifact):
    model = onnx.load(tiny_artifact / "embed.fp32.onnx", load_external_data=False)
    model.graph.node[-2].op_type, model.graph.node[-2].domain = "QuickGelu", "com.microsoft"
    with pytest.raises(UnsupportedError, match="operator QuickGelu has no form in ONNX's own operators"):
        standard(model)


@pytest.mark.parametrize(
    ("asked", "shape"), [({}, [2, 3, 5]), ({"start": 0}, [2, 3, 5]), ({"start": 1}, [3, 5]), ({"end": 2}, [2, 3]),
                         ({"start": 1, "end": 2}, [3]), ({"start": -1}, [5]), ({"start": 0, "end": -1}, [2, 3])]
)  # fmt: skip
def test_any_part_of_a_shape(asked, shape):
    """As graphs that were traced ask for it, too."""
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Shape", ["x"], ["y"], **asked)
    inputs = [value("x", onnx.TensorProto.FLOAT, ["A", "B", "C"])]
    graph = onnx.helper.make_graph([node], "g", inputs, [value("y", onnx.TensorProto.INT64, ["N"])])
    made = standard(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8))
    assert not [one for one in made.graph.node if one.op_type == "Shape" and one.attribute]
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.zeros((2, 3, 5), np.float32)})[0].tolist() == shape
