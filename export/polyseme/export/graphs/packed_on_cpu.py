"""A packed graph as a CPU can run it: the same nodes, but for the attention, which no CPU has packed.

Each PackedMultiHeadAttention becomes a MultiHeadAttention over all tokens as one text, with a bias that lets no token
see another text's. So everything else of a packed graph is proved where there is no GPU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from polyseme.artifact.graphs import TEXT_IDS
from polyseme.export.graphs.nodes import CONTRIB, UNSEEN
from polyseme.export.graphs.packed import BIAS, BIAS_SCORES


def cpu_form(packed: onnx.ModelProto) -> onnx.ModelProto:
    """Make the CPU form of a packed graph, with the same inputs, outputs and initializers."""
    form = onnx.ModelProto()
    form.CopyFrom(packed)
    word = next(one for one in form.graph.initializer if one.name == "embeddings.word")
    dtype = helper.tensor_dtype_to_np_dtype(word.data_type)
    form.graph.initializer.extend(
        numpy_helper.from_array(values, name)
        for name, values in {
            "cpu.column": np.array([-1, 1]),
            "cpu.row": np.array([0]),
            "cpu.rows": np.array([0, 1]),
            "cpu.seen": np.zeros((), dtype),
            "cpu.unseen": np.full((), UNSEEN, dtype),
            "cpu.nothing": np.zeros((1, word.dims[1]), np.float32),
        }.items()
    )
    nodes = [
        helper.make_node("Reshape", [TEXT_IDS, "cpu.column"], ["cpu.asks"]),
        helper.make_node("Equal", ["cpu.asks", TEXT_IDS], ["cpu.same"]),
        helper.make_node("Where", ["cpu.same", "cpu.seen", "cpu.unseen"], ["cpu.square"]),
        helper.make_node("Unsqueeze", ["cpu.square", "cpu.rows"], ["cpu.bias"]),
    ]
    relative_bias = next((one for one in form.graph.initializer if one.name == "relative_bias"), None)
    if relative_bias is not None:
        nodes += _spread_over_all(form, nearest=relative_bias.dims[1] // 2)
    for node in packed.graph.node:
        if node.name.startswith(BIAS):
            continue
        if node.op_type == "PackedMultiHeadAttention":
            nodes += _unpacked(node)
        elif node.name == "pool.token":
            nodes += _gathered_beyond(node)
        else:
            nodes.append(node)
    del form.graph.node[:]
    form.graph.node.extend(nodes)
    return form


def _spread_over_all(form: onnx.ModelProto, *, nearest: int) -> list[onnx.NodeProto]:
    """Make the bias by distance of each two tokens [1, N, T, T], as `PackedNodes` has it; of two texts, `cpu.bias`.

    Within a text the distance of two tokens is that of their columns.
    """
    at = "cpu.distance."
    constants = {"first": 0, "step": 1, "nearest": nearest, "least": 0, "most": 2 * nearest}
    form.graph.initializer.extend(
        numpy_helper.from_array(np.array(number), at + name) for name, number in constants.items()
    )
    steps: list[tuple[str, list[str], str]] = [
        ("Size", [TEXT_IDS], at + "tokens"),
        ("Range", [at + "first", at + "tokens", at + "step"], at + "columns"),
        ("Reshape", [at + "columns", "cpu.column"], at + "queries"),
        ("Sub", [at + "columns", at + "queries"], at + "places"),
        ("Add", [at + "places", at + "nearest"], at + "beyond"),
        ("Clip", [at + "beyond", at + "least", at + "most"], at + "at"),
    ]
    return [
        *(helper.make_node(operator, inputs, [output]) for operator, inputs, output in steps),
        helper.make_node("Gather", ["relative_bias", at + "at"], [at + "spread"], axis=1),
        helper.make_node("Unsqueeze", [at + "spread", "cpu.row"], [at + "scores"]),
        helper.make_node("Add", [at + "scores", "cpu.bias"], [BIAS_SCORES]),
    ]


def cpu_graph_of(path: Path) -> bytes:
    """Make the CPU form of a packed graph in a file; give the bytes that a session takes."""
    return cpu_form(onnx.load(path, load_external_data=False)).SerializeToString()


def _unpacked(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """[T, H] three times, to [1, T, H], and back."""
    rows = [f"{name}.row" for name in node.input[:3]]
    attended = f"{node.output[0]}.row"
    bias = node.input[6] if len(node.input) > 6 else "cpu.bias"
    attention = helper.make_node(
        "MultiHeadAttention", [*rows, "", "", bias], [attended], name=node.name, domain=CONTRIB
    )
    attention.attribute.extend(node.attribute)
    return [
        *(helper.make_node("Unsqueeze", [name, "cpu.row"], [f"{name}.row"]) for name in node.input[:3]),
        attention,
        helper.make_node("Squeeze", [attended, "cpu.row"], [node.output[0]]),
    ]


def _gathered_beyond(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Zeros for a text without a token behind the last, as CUDA's Gather gives; a CPU's refuses to look there."""
    hidden, place = node.input
    gather = helper.make_node("Gather", ["cpu.hidden", place], node.output, name=node.name)
    return [helper.make_node("Concat", [hidden, "cpu.nothing"], ["cpu.hidden"], axis=0), gather]
