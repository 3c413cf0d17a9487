"""The exported graphs as any user of onnxruntime sees them: no part of polyseme runs them here."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.export.graphs.graph import fused_attention_count

LAYERS = 2
RUNS = [(precision, variant) for precision in Precision for variant in Variant]


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


def load(artifact, precision, variant, **settings):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    for name, value in settings.items():
        setattr(options, name, value)
    path = artifact.path(artifact.manifest.precisions[precision].graphs[variant])
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session, texts, outputs, **more):
    width = max(map(len, texts))
    ids = np.array([text + [0] * (width - len(text)) for text in texts], np.int32)
    return session.run(outputs, {"input_ids": ids, "lengths": np.array([len(t) for t in texts], np.int32), **more})


def select(positions, layer_weights=None, span_weights=()):
    """One group of all tokens."""
    return {
        "positions": np.array(positions, np.int32),
        "layer_weights": np.array(np.eye(LAYERS + 2) if layer_weights is None else layer_weights, np.float32),
        "span_tokens": np.arange(len(positions), dtype=np.int32)[None, :],
        "span_weights": np.array([span_weights or np.zeros((1, len(positions)))], np.float32),
    }


@pytest.mark.parametrize(("precision", "variant"), RUNS)
def test_a_graph_loads_from_its_folder_alone(artifact, precision, variant):
    session = load(artifact, precision, variant)
    inputs = {one.name: (one.type, one.shape) for one in session.get_inputs()}
    outputs = {one.name: (one.type, one.shape) for one in session.get_outputs()}
    texts = {"input_ids": ("tensor(int32)", ["B", "S"]), "lengths": ("tensor(int32)", ["B"])}
    if variant is Variant.EMBED:
        assert inputs == texts
        assert outputs == {name: ("tensor(float)", ["B", 32]) for name in ("pooled", "normalized")}
    else:
        assert inputs == texts | {
            "positions": ("tensor(int32)", ["P"]),
            "layer_weights": ("tensor(float)", ["C", LAYERS + 2]),
            "span_tokens": ("tensor(int32)", ["G", "M"]),
            "span_weights": ("tensor(float)", ["G", "K", "M"]),
        }
        assert outputs == {
            "token_vectors": ("tensor(float)", ["C", "P", 32]),
            "span_vectors": ("tensor(float)", ["C", "G", "K", 32]),
        }


@pytest.mark.parametrize(("precision", "variant"), RUNS)
def test_every_layer_is_fused_in_what_onnxruntime_loads(artifact, precision, variant, tmp_path):
    load(artifact, precision, variant, optimized_model_filepath=str(tmp_path / "loaded.onnx"))
    loaded = onnx.load(tmp_path / "loaded.onnx", load_external_data=False)
    assert fused_attention_count(loaded) == LAYERS
    operators = Counter(node.op_type for node in loaded.graph.node)
    assert (operators["SkipLayerNormalization"], operators["BiasGelu"]) == (2 * LAYERS, LAYERS)
    assert not {"Softmax", "Erf", "Gelu", "FastGelu", "LayerNormalization"} & set(operators)


@pytest.mark.parametrize(("precision", "variant"), RUNS)
def test_a_graph_holds_structure_only(artifact, precision, variant):
    entry = artifact.manifest.precisions[precision]
    path = artifact.path(entry.graphs[variant])
    model = onnx.load(path, load_external_data=False)
    external = [one for one in model.graph.initializer if one.data_location == onnx.TensorProto.EXTERNAL]
    places = {one.name: {part.key: part.value for part in one.external_data} for one in external}
    assert {entry.weights} == {place["location"] for place in places.values()}
    assert {t.name: str(t.offset) for t in entry.tensors} == {name: p["offset"] for name, p in places.items()}
    inside = [one for one in model.graph.initializer if one.data_location != onnx.TensorProto.EXTERNAL]
    assert sum(np.prod(one.dims, dtype=int) for one in inside) <= 8
    assert path.stat().st_size < 16384
    onnx.checker.check_model(str(path))


def test_tensors_are_aligned_and_in_order(artifact):
    for entry in artifact.manifest.precisions.values():
        offsets = [tensor.offset for tensor in entry.tensors]
        assert sorted(offsets) == offsets
        assert not [offset for offset in offsets if offset % 64]


def test_static_embeddings_are_rows_of_the_word_table(artifact):
    (states,) = run(load(artifact, Precision.FP32, Variant.LAYERS), [[2, 7, 3]], ["token_vectors"], **select([0, 1, 2]))
    table = artifact.weights(Precision.FP32)["embeddings.word"]
    np.testing.assert_array_equal(states[0], table[[2, 7, 3]])


@pytest.mark.parametrize("precision", Precision)
def test_layers_are_joined_and_spans_pooled_inside(artifact, precision):
    session = load(artifact, precision, Variant.LAYERS)
    texts = [[2, 7, 8, 9, 3], [2, 9, 3]]
    (states,) = run(session, texts, ["token_vectors"], **select(range(10)))
    tokens, spans = run(
        session,
        texts,
        ["token_vectors", "span_vectors"],
        **select([6, 1, 3], [[0, 0, 0.5, 0.5], [1, 0, 0, 0]], [[0, 0.5, 0.5], [1, 0, 0]]),
    )
    joined = np.stack([(states[2] + states[3]) / 2, states[0]])[:, [6, 1, 3]]
    np.testing.assert_allclose(tokens, joined, rtol=1e-6, atol=1e-7)
    expected = np.stack([(joined[:, 1] + joined[:, 2]) / 2, joined[:, 0]], axis=1)
    np.testing.assert_allclose(spans[:, 0], expected, rtol=1e-6, atol=1e-7)


def test_padding_changes_nothing(artifact):
    session = load(artifact, Precision.FP32, Variant.EMBED)
    short, long = [2, 7, 8, 3], [2, *range(5, 60), 3]
    alone = run(session, [short], ["pooled"])[0][0]
    padded = run(session, [long, short, long], ["pooled"])[0][1]
    np.testing.assert_allclose(padded, alone, atol=1e-6)  # sums of other lengths run in another order


def test_what_stands_in_the_padding_changes_nothing(artifact):
    session = load(artifact, Precision.FP32, Variant.EMBED)
    lengths = np.array([3], np.int32)
    one, other = (
        session.run(["pooled"], {"input_ids": np.array([[2, 9, 3, *rest]], np.int32), "lengths": lengths})[0]
        for rest in ([0, 0], [11, 12])
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("precision", Precision)
def test_pooled_is_the_mean_of_the_last_layer(artifact, precision):
    texts = [[2, 7, 8, 3], [2, 9, 3]]
    pooled, normalized = run(load(artifact, precision, Variant.EMBED), texts, ["pooled", "normalized"])
    (states,) = run(load(artifact, precision, Variant.LAYERS), texts, ["token_vectors"], **select(range(7)))
    expected = [states[-1, :4].mean(axis=0), states[-1, 4:7].mean(axis=0)]
    np.testing.assert_allclose(pooled, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(normalized, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(normalized, pooled / np.linalg.norm(pooled, axis=1, keepdims=True), atol=1e-6)


def test_an_unfused_graph_counts_less():
    node = onnx.helper.make_node("Attention", ["x"], ["y"])  # of ai.onnx: not onnxruntime's fused one
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], []))
    assert fused_attention_count(model) == 0
