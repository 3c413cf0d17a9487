"""A padded graph in ONNX's own operators alone, over the same weights: for TensorRT, which knows no others.

onnxruntime's fused operators are taken apart again, each into what it computes. Nothing is looked for: every node that
export writes has a name that says what it is.

onnx.inliner does not do this: functions know neither types nor shapes. So constants need a CastLike, the size of a head
is computed in the graph, and the mask once per layer; CastLike and parts of shapes would still have to be taken apart
here, and an operator with optional inputs needs a function for each form (`python -m bench.export.inlining`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from polyseme.artifact.graphs import INPUT_IDS, LENGTHS
from polyseme.export.errors import UnsupportedError
from polyseme.export.graphs.nodes import CONTRIB, UNSEEN, NodeList
from polyseme.export.graphs.padded import KEY_STARTS

_ALL: Final = np.iinfo(np.int64).max  # as the end of a slice
_LEAST_LENGTH: Final = np.float32(1e-12)  # of a vector: prevents a division by zero


def standard(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the same graph in ONNX's own operators, with the same inputs, outputs and weights.

    Raises:
        UnsupportedError: an operator is not one of export's own padded graphs.
    """
    graph = model.graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    types |= {one.name: one.type.tensor_type.elem_type for one in graph.input}
    parts = _Parts(types=types, shapes=shapes)
    for node in graph.node:
        parts.take(node)
    lowered = helper.make_graph(
        parts.nodes, graph.name, graph.input, graph.output, [*graph.initializer, *parts.constants]
    )
    opsets = [opset for opset in model.opset_import if opset.domain != CONTRIB]
    return helper.make_model(
        lowered, opset_imports=opsets, ir_version=model.ir_version, producer_name=model.producer_name
    )


@dataclass(slots=True, kw_only=True)
class _Parts(NodeList):
    """Takes fused operators apart.

    Attributes:
        types: element types of the values computed so far.
        shapes: shapes of weights and constants.
    """

    types: dict[str, int]
    shapes: dict[str, tuple[int, ...]]
    _masks: dict[int, str] = field(default_factory=dict)

    def take(self, node: onnx.NodeProto) -> None:
        """Add a node, or the nodes that compute the same.

        Raises:
            UnsupportedError: there are none that do.
        """
        lower = _LOWER.get(node.op_type)
        if node.name.startswith(KEY_STARTS):
            return  # the lengths do without it
        if lower is not None:
            lower(self, node)
        elif node.domain == "":
            self.nodes.append(node)
        else:
            raise UnsupportedError(f"operator {node.op_type[:60]} has no form in ONNX's own operators, for --tensorrt")
        self.types |= dict.fromkeys(node.output, self._element(node))

    def _element(self, node: onnx.NodeProto) -> int:
        """Give the element type of a node's output, for nodes that export writes: mostly that of its first input."""
        if node.op_type == "Cast":
            return int(_attributes(node)["to"])
        if node.op_type == "Constant":
            return int(_attributes(node)["value"].data_type)
        if node.op_type in _GIVES:
            return _GIVES[node.op_type]
        of = {"Where": 1, "CastLike": 1, "EmbedLayerNormalization": 2}.get(node.op_type, 0)
        return self.types.get(node.input[of], TensorProto.INT64)  # a constant of the graph's own

    def number(self, value: float, like: str) -> str:
        """Add a constant of the element type of another value."""
        element = self.types[like]
        dtype = helper.tensor_dtype_to_np_dtype(element)
        return self.shared(f"standard.{dtype}.{value:.6g}", np.asarray(value, dtype=dtype))

    def integers(self, *values: int) -> str:
        """Add a constant [n], int64."""
        return self.shared(f"standard.{'.'.join(map(str, values))}", np.array(values))

    def embed(self, node: onnx.NodeProto) -> None:
        """Add the rows of two tables, and normalize; positions are the columns, unless they are given.

        Raises:
            UnsupportedError: it has segments too.
        """
        ids, segments, words, positions, _, scale, shift, mask, given = (*node.input, "", "")[:9]
        output = node.output[0]
        if segments or mask:
            raise UnsupportedError("an embedding of segments has no form in ONNX's own operators, for --tensorrt")
        word = self.add("Gather", [words, ids], output + ".word")
        if given:
            places = self.add("Gather", [positions, given], output + ".positions")
        else:
            first = self.integers(0)
            ends = self._length(ids, output + ".size")
            places = self.add("Slice", [positions, first, ends, first], output + ".positions")
        total = self.add("Add", [word, places], output + ".sum")
        self._normalize([total, scale, shift], node)

    def skip(self, node: onnx.NodeProto) -> None:
        """Compute LayerNorm(x + skip + bias); the sum may be an output too."""
        x, skip, scale, *more = node.input
        shift, bias = (*more, "", "")[:2]
        output = node.output[0]
        total = node.output[3] if len(node.output) > 3 else output + ".sum"
        added = self.add("Add", [x, skip], output + ".skip" if bias else total)
        if bias:
            self.add("Add", [added, bias], total)
        self._normalize([total, scale, *([shift] if shift else [])], node)

    def _normalize(self, inputs: list[str], node: onnx.NodeProto) -> None:
        epsilon = _attributes(node)["epsilon"]
        self.add("LayerNormalization", inputs, node.output[0], axis=-1, epsilon=epsilon)

    def attention(self, node: onnx.NodeProto) -> None:
        """Compute query, key and value by one product, and attend."""
        x, weight, bias, lengths, *more = node.input
        scores, output = (*more, "", "")[1], node.output[0]
        product = self.add("MatMul", [x, weight], output + ".product")
        joined = self.add("Add", [product, bias], output + ".joined")
        parts = [f"{output}.{part}" for part in ("query", "key", "value")]
        self.nodes.append(helper.make_node("Split", [joined], parts, name=output + ".parts", axis=-1))
        self.types |= dict.fromkeys(parts, self.types[x])
        self._attend(parts, lengths, scores, node, self.shapes[weight][1] // 3)

    def many_heads(self, node: onnx.NodeProto) -> None:
        """Attend with query, key and value as they are given."""
        *parts, _, lengths, scores = (*node.input, "")[:6]
        matrix = next(one for one in self.nodes if one.output[0] == parts[2]).input[1]
        self._attend(parts, lengths, scores, node, self.shapes[matrix][1])

    def _attend(self, parts: list[str], lengths: str, scores: str, node: onnx.NodeProto, width: int) -> None:
        """Softmax(q k / sqrt(h) + scores) v, of three [B, S, H]; keys end at each text's length."""
        if lengths not in (LENGTHS, KEY_STARTS):
            raise UnsupportedError("a mask that is no length has no form in ONNX's own operators, for --tensorrt")
        at, heads = node.output[0], _attributes(node)["num_heads"]
        size = width // heads
        apart = self.integers(0, 0, heads, size)
        turns = {"query": [0, 2, 1, 3], "key": [0, 2, 3, 1], "value": [0, 2, 1, 3]}
        heads_of = [self.add("Reshape", [x, apart], f"{at}.{part}.heads") for x, part in zip(parts, turns, strict=True)]
        query, key, value = (
            self.add("Transpose", [x], f"{at}.{part}.turned", perm=turn)
            for x, (part, turn) in zip(heads_of, turns.items(), strict=True)
        )
        like = parts[0]
        scaled = self.add("Mul", [query, self.number(size**-0.5, like)], at + ".scaled")
        products = self.add("MatMul", [scaled, key], at + ".scores")
        if scores:
            products = self.add("Add", [products, scores], at + ".biased")
        masked = self.add("Add", [products, self._mask(like)], at + ".masked")
        weights = self.add("Softmax", [masked], at + ".weights", axis=-1)
        context = self.add("MatMul", [weights, value], at + ".context")
        turned = self.add("Transpose", [context], at + ".turned", perm=[0, 2, 1, 3])
        self.add("Reshape", [turned, self.integers(0, 0, width)], at)

    def _mask(self, like: str) -> str:
        """Add the mask [B, 1, 1, S] on the scores of a text's keys; once for all layers."""
        element = self.types[like]
        if element not in self._masks:
            name = f"standard.mask.{element}"
            scalar = self.shared("standard.scalar.0", np.int64(0)), self.shared("standard.scalar.1", np.int64(1))
            end = self.add("Squeeze", [self._length(INPUT_IDS, name + ".size")], name + ".end")
            columns = self.add("Range", [scalar[0], end, scalar[1]], name + ".columns")
            wide = self.add("Cast", [LENGTHS], name + ".lengths", to=TensorProto.INT64)
            ends = self.add("Unsqueeze", [wide, self.integers(1, 2, 3)], name + ".ends")
            real = self.add("Less", [columns, ends], name + ".real")
            self._masks[element] = self.add("Where", [real, self.number(0.0, like), self.number(UNSEEN, like)], name)
        return self._masks[element]

    def rotate(self, node: onnx.NodeProto) -> None:
        """Turn element j of each head's first half together with element j of its second, by the token's place."""
        x, _, *tables = node.input
        at, heads = node.output[0], _attributes(node)["num_heads"]
        half = self.shapes[tables[0]][1]
        split = self.add("Reshape", [x, self.integers(0, 0, heads, 2 * half)], at + ".heads")
        halves = [at + ".first", at + ".second"]
        self.nodes.append(helper.make_node("Split", [split], halves, name=at + ".halves", axis=-1))
        ends = self._length(x, at + ".size")
        zero, axis = self.integers(0), self.integers(1)
        cos, sin = (
            self.add("Unsqueeze", [self.add("Slice", [table, zero, ends, zero], f"{at}.{name}"), axis], f"{at}.{name}s")
            for table, name in zip(tables, ("cos", "sin"), strict=True)
        )
        products = {
            f"{name}.{turn}": self.add("Mul", [part, factor], f"{at}.{name}.{turn}")
            for part, name in zip(halves, ("first", "second"), strict=True)
            for factor, turn in ((cos, "cos"), (sin, "sin"))
        }
        first = self.add("Sub", [products["first.cos"], products["second.sin"]], at + ".first.turned")
        second = self.add("Add", [products["second.cos"], products["first.sin"]], at + ".second.turned")
        joined = self.add("Concat", [first, second], at + ".joined", axis=-1)
        self.add("Reshape", [joined, self.integers(0, 0, 2 * heads * half)], at)

    def bias_gelu(self, node: onnx.NodeProto) -> None:
        """Compute gelu(x + bias)."""
        output = node.output[0]
        total = self.add("Add", list(node.input), output + ".sum")
        self.types[total] = self.types[node.input[0]]
        self._gelu(total, output)

    def gelu(self, node: onnx.NodeProto) -> None:
        """Compute x * Phi(x), by erf."""
        self._gelu(node.input[0], node.output[0])

    def _gelu(self, x: str, output: str) -> None:
        small = self.add("Mul", [x, self.number(0.5**0.5, x)], output + ".small")
        erf = self.add("Erf", [small], output + ".erf")
        more = self.add("Add", [erf, self.number(1.0, x)], output + ".more")
        half = self.add("Mul", [x, self.number(0.5, x)], output + ".half")
        self.add("Mul", [half, more], output)

    def shape(self, node: onnx.NodeProto) -> None:
        """Give all of a shape, or a part of it."""
        asked = _attributes(node)
        if asked.get("start") or "end" in asked:
            self._part_of_shape(node.input[0], asked.get("start", 0), asked.get("end", _ALL), node.output[0])
        else:
            self.add("Shape", [node.input[0]], node.output[0])

    def _part_of_shape(self, x: str, start: int, end: int, output: str) -> str:
        """By a slice: parsers of TensorRT have overlooked that Shape may be asked for a part."""
        whole = self.add("Shape", [x], output + ".shape")
        return self.add("Slice", [whole, self.integers(start), self.integers(end), self.integers(0)], output)

    def _length(self, x: str, output: str) -> str:
        """Count the columns, [1]."""
        return self._part_of_shape(x, 1, 2, output)

    def cast(self, node: onnx.NodeProto) -> None:
        """Cast, and remember the type."""
        self.add("Cast", [node.input[0]], node.output[0], to=self.types[node.input[1]])

    def unit(self, node: onnx.NodeProto) -> None:
        """Scale rows to length 1."""
        x, output = node.input[0], node.output[0]
        length = self.add("ReduceL2", [x], output + ".length", axes=[-1], keepdims=1)
        safe = self.add("Max", [length, self.shared("standard.least", _LEAST_LENGTH)], output + ".safe")
        self.add("Div", [x, safe], output)


_LOWER: Final[dict[str, Callable[[_Parts, onnx.NodeProto], None]]] = {
    "EmbedLayerNormalization": _Parts.embed,
    "SkipLayerNormalization": _Parts.skip,
    "Attention": _Parts.attention,
    "MultiHeadAttention": _Parts.many_heads,
    "RotaryEmbedding": _Parts.rotate,
    "BiasGelu": _Parts.bias_gelu,
    "Gelu": _Parts.gelu,
    # Of ONNX's own, and not of TensorRT's.
    "LpNormalization": _Parts.unit,
    "Shape": _Parts.shape,
    "CastLike": _Parts.cast,
}
_GIVES: Final = {
    "Shape": TensorProto.INT64,
    "Less": TensorProto.BOOL,
    "Greater": TensorProto.BOOL,
    "Equal": TensorProto.BOOL,
}


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
