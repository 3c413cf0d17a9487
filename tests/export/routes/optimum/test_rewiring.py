"""A graph as optimum leaves it, written by hand: runs without torch."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from polyseme.export import UnsupportedError
from polyseme.export.routes.optimum.rewiring import float_tensors, rewire, split, to_fp16

H, V = 16, 9
WORDS = np.random.default_rng(1).normal(size=(V, H)).astype(np.float32)
TYPES = np.random.default_rng(2).normal(size=(2, H)).astype(np.float32)
IDS = np.array([[3, 4, 5, 6], [7, 8, 0, 0]], np.int32)
LENGTHS = np.array([4, 2], np.int32)


def traced(*extra_inputs):
    """Word and type of a token, then one attention over a mask's sum; a pooler that nobody needs."""
    rng = np.random.default_rng(3)
    tensors = {
        "model.words": WORDS,
        "types": TYPES,
        "qkv": rng.normal(0, 0.2, size=(H, 3 * H)).astype(np.float32),
        "bias": np.zeros(3 * H, np.float32),
        "unused": np.ones(99, np.float32),
        "axes": np.array([1]),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["model.words", "input_ids"], ["word"], doc_string="/home/someone/model.py"),
        node("Gather", ["types", "token_type_ids"], ["type"]),
        node("Add", ["word", "type"], ["hidden_states.0"]),
        node("Cast", ["attention_mask"], ["mask_32"], to=TensorProto.INT32),
        node("ReduceSum", ["mask_32", "axes"], ["mask_index"], keepdims=0),
        node(
            "Attention",
            ["hidden_states.0", "qkv", "bias", "mask_index"],
            ["hidden_states.1"],
            domain="com.microsoft",
            num_heads=2,
        ),
        node("Tanh", ["hidden_states.1"], ["pooler_output"]),
    ]
    names = ("input_ids", "attention_mask", "token_type_ids", *extra_inputs)
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ("batch", "sequence")) for name in names],
        [helper.make_tensor_value_info(f"hidden_states.{i}", TensorProto.FLOAT, None) for i in (0, 1)],
        [numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(model, feed):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["hidden_states.0", "hidden_states.1"], feed)


def test_ids_and_lengths_take_the_place_of_mask_and_types():
    mask = (np.arange(4) < LENGTHS[:, None]).astype(np.int64)
    feed = {"input_ids": IDS.astype(np.int64), "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}
    expected = run(traced(), feed)
    model = rewire(traced(), WORDS, 1)
    assert [value.name for value in model.graph.input] == ["input_ids", "lengths"]
    for want, got in zip(expected, run(model, {"input_ids": IDS, "lengths": LENGTHS}), strict=True):
        np.testing.assert_array_equal(want, got)


def test_attention_takes_the_lengths_themselves():
    model = rewire(traced(), WORDS, 1)
    (attention,) = [node for node in model.graph.node if node.op_type == "Attention"]
    assert attention.input[3] == "lengths"
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"ReduceSum", "Less", "Tanh"}, "what nobody needs any more is gone"


def test_a_mask_that_something_else_reads_is_made_of_the_lengths():
    model = traced()
    model.graph.node[-2].input[2:] = ["bias", "mask_32"]  # the mask itself, as CPU kernels take it too
    model = rewire(model, WORDS, 1)
    expected = run(rewire(traced(), WORDS, 1), {"input_ids": IDS, "lengths": LENGTHS})
    got = run(model, {"input_ids": IDS, "lengths": LENGTHS})
    np.testing.assert_allclose(got[1][0], expected[1][0], atol=1e-6)
    np.testing.assert_allclose(got[1][1, :2], expected[1][1, :2], atol=1e-6)


def test_the_word_table_gets_its_name_and_nothing_tells_of_the_machine():
    model = rewire(traced(), WORDS, 1)
    names = {tensor.name for tensor in model.graph.initializer}
    assert "embeddings.word" in names
    assert not names & {"model.words", "unused"}
    assert b"someone" not in model.SerializeToString()


def test_a_word_table_that_is_not_the_models():
    with pytest.raises(UnsupportedError, match="has not the model's word table"):
        rewire(traced(), WORDS + 1, 1)


def test_an_input_that_is_not_known():
    with pytest.raises(UnsupportedError, match="has input 'bbox', which is not known"):
        rewire(traced("bbox"), WORDS, 1)


def test_weights_are_split_from_structure():
    model = rewire(traced(), WORDS, 1)
    encoder = split(model, float_tensors(model), TensorProto.FLOAT)
    assert {"embeddings.word", "qkv"} == set(encoder.weights), "bias and types are small"
    assert {"bias", "types"} <= {tensor.name for tensor in encoder.constants}
    np.testing.assert_array_equal(WORDS, encoder.weights["embeddings.word"])


def test_halves_keep_the_structure_and_the_weights_their_digits():
    model = rewire(traced(), WORDS, 1)
    originals = float_tensors(model)
    halved = to_fp16(model)
    encoder = split(halved, originals, TensorProto.FLOAT16)
    np.testing.assert_array_equal(WORDS, encoder.weights["embeddings.word"])
    assert [node.op_type for node in encoder.nodes].count("Attention") == 1
    element = {tensor.name: tensor.data_type for tensor in halved.graph.initializer}
    assert element["embeddings.word"] == TensorProto.FLOAT16
    got = run(halved, {"input_ids": IDS, "lengths": LENGTHS})
    expected = run(rewire(traced(), WORDS, 1), {"input_ids": IDS, "lengths": LENGTHS})
    assert got[1].dtype == np.float16
    np.testing.assert_allclose(got[1], expected[1], atol=2e-2)
