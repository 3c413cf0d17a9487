"""Each node of each graph that is exported has a kernel on CUDA: every architecture, precision, layout and head."""

import os
import shutil
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from tests.cuda.gate import without_a_kernel
from tests.cuda.registered import registered
from tests.export.checkpoints import change_weights, make_sentence_transformer
from tests.export.encoders.architectures.test_families import NAMES, checkpoint
from tests.export.gates.test_overflow import enlarge, enlarge_attention
from tests.export.graphs.test_head_nodes import exported, make_layers

from polyseme.artifact import Artifact, Pooling, Precision
from polyseme.export import ExportOptions, export_model

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module")
def kernels():
    (folder,) = {Path(part).parent for part in os.environ["LD_LIBRARY_PATH"].split(":") if part.endswith("/cuda")}
    return registered(folder)


def graphs(artifact):
    """Every graph of an artifact."""
    paths = sorted(artifact.directory.glob("*.onnx"))
    assert len(paths) >= 2 * len(artifact.manifest.precisions)
    return paths


def refused(artifact, kernels):
    return {path.name: missing for path in graphs(artifact) if (missing := without_a_kernel(path, kernels))}


def test_the_real_model(minilm, kernels):
    assert refused(minilm, kernels) == {}
    assert set(minilm.manifest.precisions) == set(Precision)


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture(name, kernels, tmp_path):
    export_model(str(checkpoint(name, tmp_path)), tmp_path / "out", ExportOptions(name="tiny", tensorrt=True))
    assert refused(Artifact.open(tmp_path / "out"), kernels) == {}


@pytest.mark.parametrize("pooling", Pooling)
def test_every_pooling(pooling, kernels, tiny_checkpoint, tmp_path):
    source = shutil.copytree(tiny_checkpoint, tmp_path / "source")
    make_sentence_transformer(source, "Transformer", "Pooling", pooling_mode=pooling.value)
    assert refused(exported(source, tmp_path / "out"), kernels) == {}


def test_dense_layers(kernels, tiny_checkpoint, tmp_path):
    source = shutil.copytree(tiny_checkpoint, tmp_path / "source")
    make_layers(source, (32, 16, True, "activation.Tanh"), (16, 8, False, "activation.GELU"))
    assert refused(exported(source, tmp_path / "out"), kernels) == {}


@pytest.mark.parametrize("change", [enlarge, enlarge_attention])
def test_blocks_in_fp32_within_fp16(change, kernels, tiny_checkpoint, tmp_path):
    source = shutil.copytree(tiny_checkpoint, tmp_path / "source")
    change_weights(source, change)
    artifact = export_model(str(source), tmp_path / "out", ExportOptions())
    assert artifact.manifest.precisions[Precision.FP16].fp32_blocks
    assert refused(artifact, kernels) == {}


def test_a_node_without_a_kernel_is_named(kernels, tmp_path):
    """A norm over double, which CUDA does not have."""
    value = helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["T", 8])
    node = helper.make_node("SkipLayerNormalization", ["x"] * 3, ["y"], "layers.0.norm", domain="com.microsoft")
    graph = helper.make_graph([node], "g", [value], [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["T", 8])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path = tmp_path / "graph.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)
    assert without_a_kernel(path, kernels) == ["SkipLayerNormalization 1 of T tensor(double): layers.0.norm"]
