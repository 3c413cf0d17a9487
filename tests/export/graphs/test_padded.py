"""The mask that says where keys begin too, against lengths alone."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tests.export.checkpoints import make_sentence_transformer
from tests.export.encoders.architectures.test_families import checkpoint

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.artifact.graphs import LENGTHS
from polyseme.export import ExportOptions, export_model
from polyseme.export.graphs.padded import KEY_STARTS, MASKED_ATTENTION
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.selection import every_state

MASK = {"Attention": 3, "MultiHeadAttention": 4}
LENGTHS_OF = ([7], [1, 8, 3], [30, 2, 30, 17, 1])


@pytest.fixture(scope="module", params=["mpnet", "modernbert", "max pooling"])
def artifact(request, tmp_path_factory):
    """Those with biased scores, and those without a packed graph."""
    folder = tmp_path_factory.mktemp("source")
    if request.param == "max pooling":
        source = checkpoint("distilbert", folder)
        make_sentence_transformer(source, "Transformer", "Pooling", pooling_mode="max")
    else:
        source = checkpoint(request.param, folder)
    return export_model(str(source), folder / "out", ExportOptions(name="tiny"))


def graph(artifact, precision, variant):
    return onnx.load(artifact.path(artifact.manifest.precisions[precision].graphs[variant]), load_external_data=False)


def attentions(model):
    return [node for node in model.graph.node if node.op_type in MASKED_ATTENTION]


def masks(artifact, precision):
    return {node.input[MASK[node.op_type]] for node in attentions(graph(artifact, precision, Variant.EMBED))}


def outputs(artifact, model, feeds):
    options = ort.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(artifact.directory))
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


@pytest.mark.parametrize("precision", Precision)
def test_attentions_in_fp16_are_told_where_keys_begin(artifact, precision):
    assert masks(artifact, precision) == {KEY_STARTS if precision is Precision.FP16 else LENGTHS}


def test_a_padded_graph_beside_a_packed_one_has_lengths(tiny_artifact):
    """Before Ampere it is what runs, by TensorRT's fused attention, which takes lengths."""
    assert masks(Artifact.open(tiny_artifact), Precision.FP16) == {LENGTHS}


def test_key_starts_are_lengths_and_where_rows_begin(artifact):
    model = graph(artifact, Precision.FP16, Variant.EMBED)
    model.graph.output.append(onnx.helper.make_tensor_value_info(KEY_STARTS, onnx.TensorProto.INT32, None))
    batch = collate([[5] * length for length in (3, 7)], 0, artifact.manifest.model.encoder.padding_idx)
    assert outputs(artifact, model, batch.feeds())[-1].tolist() == [3, 7, 0, 7, 14, 0, 7, 14]


@pytest.mark.parametrize("variant", Variant)
def test_a_cpu_computes_the_same_as_of_lengths(artifact, variant):
    model = graph(artifact, Precision.FP16, variant)
    plain = graph(artifact, Precision.FP16, variant)
    for node in attentions(plain):
        node.input[MASK[node.op_type]] = LENGTHS
    rng, encoder = np.random.default_rng(4), artifact.manifest.model.encoder
    for lengths in LENGTHS_OF:
        texts = [rng.integers(5, encoder.vocab_size, length).tolist() for length in lengths]
        batch = collate(texts, encoder.pad_token_id, encoder.padding_idx)
        feeds = batch.feeds()
        if variant is Variant.LAYERS:
            feeds |= every_state(batch, encoder.num_hidden_layers).feeds()
        for got, want in zip(outputs(artifact, model, feeds), outputs(artifact, plain, feeds), strict=True):
            np.testing.assert_array_equal(got, want)
