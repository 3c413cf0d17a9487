"""A traced graph under our names: ids and lengths in, hidden states out, weights apart from structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from polyseme.artifact.graphs import INPUT_IDS, LENGTHS
from polyseme.export.encoders.encoder import Float32Array
from polyseme.export.errors import UnsupportedError
from polyseme.export.graphs.graph import FUSED_ATTENTION
from polyseme.export.routes.optimum.packages import one_line, quiet

WORD_TABLE: Final = "embeddings.word"  # as the head over the graph calls it
_WIDE_IDS: Final = "traced.input_ids"
_LEAST_WEIGHT: Final = 64  # elements; smaller tensors stay in the graph


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEncoder:
    """Ids to hidden states, in one precision.

    Attributes:
        nodes: in the order of computation.
        weights: what belongs into the weight file, in float32.
        constants: what stays in the graph.
    """

    nodes: tuple[onnx.NodeProto, ...]
    weights: dict[str, Float32Array]
    constants: tuple[onnx.TensorProto, ...]


def rewire(model: onnx.ModelProto, words: Float32Array, layers: int) -> onnx.ModelProto:
    """Give a fused graph an artifact's inputs: lengths in place of a mask, no token types, ids of 32 bits.

    Args:
        model: as optimum left it; changed in place.
        words: [V, H], the word table, which gets its name.
        layers: how many.

    Raises:
        UnsupportedError: the graph has an input that nothing is known of, or not its word table.
    """
    graph = model.graph
    _name_word_table(graph, words)
    made = [helper.make_node("Cast", [INPUT_IDS], [_WIDE_IDS], to=TensorProto.INT64)]
    renamed = {INPUT_IDS: _WIDE_IDS}
    for value in graph.input:
        if value.name == "attention_mask":
            made += _mask_nodes(value.name)
        elif value.name == "token_type_ids":
            made += _zero_nodes(value.name)
        elif value.name != INPUT_IDS:
            raise UnsupportedError(f"the traced graph has input {value.name[:80]!r}, which is not known")
    _attend_by_lengths(graph)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    nodes = _needed([*made, *graph.node], {f"hidden_states.{layer}" for layer in range(layers + 1)})
    for number, node in enumerate(nodes):
        node.name, node.doc_string = f"{node.op_type}.{number}", ""
        del node.metadata_props[:]
    used = {name for node in nodes for name in node.input}
    kept = [
        tensor for tensor in [*graph.initializer, *_constants()] if tensor.name in used or tensor.name == WORD_TABLE
    ]
    inputs = [
        helper.make_tensor_value_info(INPUT_IDS, TensorProto.INT32, ("B", "S")),
        helper.make_tensor_value_info(LENGTHS, TensorProto.INT32, ("B",)),
    ]
    opsets = [opset for opset in model.opset_import if opset.domain in ("", "com.microsoft")]
    body = helper.make_graph(nodes, "traced", inputs, list(graph.output), kept)
    return helper.make_model(body, opset_imports=opsets, ir_version=model.ir_version)


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert a graph to fp16; numbers that fp16 cannot hold are found when its weights are written.

    Raises:
        UnsupportedError: onnxruntime's converter fails, as it does beyond 2 GB.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        with quiet():  # of numbers that become zero
            in_fp16: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=False)
    except Exception as error:
        raise UnsupportedError(
            f"onnxruntime cannot halve it: {one_line(error)}; export with --precision fp32"
        ) from error
    return in_fp16


def split(model: onnx.ModelProto, originals: dict[str, Float32Array], element: int) -> TracedEncoder:
    """Split a model into its structure and its weights: arrays of any shape by name.

    Args:
        model: rewired.
        originals: every float32 initializer of the graph in float32.
        element: the element type of the tensors that go into the weight file.
    """
    weights, constants = {}, []
    for tensor in model.graph.initializer:
        size = int(np.prod(tensor.dims, dtype=np.int64))
        if tensor.data_type == element and size >= _LEAST_WEIGHT and tensor.name in originals:
            weights[tensor.name] = originals[tensor.name]
        else:
            constants.append(tensor)
    return TracedEncoder(nodes=tuple(model.graph.node), weights=weights, constants=tuple(constants))


def float_tensors(model: onnx.ModelProto) -> dict[str, Float32Array]:
    """Give every float32 initializer, of any shape, by name."""
    tensors = model.graph.initializer
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors if tensor.data_type == TensorProto.FLOAT}


def _name_word_table(graph: onnx.GraphProto, words: Float32Array) -> None:
    for tensor in graph.initializer:
        if tuple(tensor.dims) == words.shape and np.array_equal(numpy_helper.to_array(tensor), words):
            old, tensor.name = tensor.name, WORD_TABLE
            for node in graph.node:
                node.input[:] = [WORD_TABLE if name == old else name for name in node.input]
            return
    raise UnsupportedError("the traced graph has not the model's word table: it was changed on the way")


def _attend_by_lengths(graph: onnx.GraphProto) -> None:
    """Give fused attentions the lengths, in place of the sum of the mask's rows."""
    sums = {node.output[0] for node in graph.node if node.op_type == "ReduceSum"}
    for node in graph.node:
        if node.op_type in FUSED_ATTENTION and len(node.input) > 3 and node.input[3] in sums:
            node.input[3] = LENGTHS


def _zero_nodes(name: str) -> list[onnx.NodeProto]:
    """[B, S], all 0."""
    zero = numpy_helper.from_array(np.array([0], np.int64))
    return [
        helper.make_node("Shape", [INPUT_IDS], ["traced.shape"]),
        helper.make_node("ConstantOfShape", ["traced.shape"], [name], value=zero),
    ]


def _mask_nodes(name: str) -> list[onnx.NodeProto]:
    """[B, S], 1 where a real token stands."""
    return [
        helper.make_node("Shape", [INPUT_IDS], ["traced.width"], start=1, end=2),
        helper.make_node("Squeeze", ["traced.width"], ["traced.size"]),
        helper.make_node("Range", ["traced.0", "traced.size", "traced.1"], ["traced.columns"]),
        helper.make_node("Cast", [LENGTHS], ["traced.wide_lengths"], to=TensorProto.INT64),
        helper.make_node("Unsqueeze", ["traced.wide_lengths", "traced.axis_1"], ["traced.ends"]),
        helper.make_node("Less", ["traced.columns", "traced.ends"], ["traced.real"]),
        helper.make_node("Cast", ["traced.real"], [name], to=TensorProto.INT64),
    ]


def _constants() -> list[onnx.TensorProto]:
    """Make the constants of the nodes above."""
    values = {"traced.0": 0, "traced.1": 1, "traced.axis_1": [1]}
    return [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in values.items()]


def _needed(nodes: list[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """Give the nodes that outputs depend on, in order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]
