"""Dense layers after the pooling, in a graph: float32, whatever the precision of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from onnx import TensorProto

from polyseme.artifact import Activation, DenseSpec
from polyseme.artifact.heads import dense_bias, dense_weight
from polyseme.export.graphs.nodes import CONTRIB, Nodes

# Each has a CUDA kernel. Gelu is onnxruntime's: opset 17 has none.
LEAST_SQUARE: Final = np.array(1e-24, np.float32)  # zeros stay zeros
_OPERATORS: Final = {
    Activation.TANH: ("Tanh", ""),
    Activation.GELU: ("Gelu", CONTRIB),
    Activation.RELU: ("Relu", ""),
    Activation.SIGMOID: ("Sigmoid", ""),
}


def add_dense(nodes: Nodes, vectors: str, layers: Sequence[DenseSpec], output: str) -> None:
    """Add nodes that put vectors [B, H] through one or more layers to `output` [B, D]."""
    for number, layer in enumerate(layers):
        given = output if number == len(layers) - 1 else f"dense.{number}"
        _add_layer(nodes, vectors, layer, number, given)
        vectors = given


def _add_layer(nodes: Nodes, vectors: str, layer: DenseSpec, number: int, output: str) -> None:
    steps = [("MatMul", "", [_float(nodes, dense_weight(number))])]
    if layer.bias:
        steps.append(("Add", "", [_float(nodes, dense_bias(number))]))
    if layer.activation in _OPERATORS:
        steps.append((*_OPERATORS[layer.activation], []))
    is_unit = layer.activation is Activation.UNIT
    for step, (operator, domain, weights) in enumerate(steps, start=1):
        given = output if step == len(steps) and not is_unit else f"dense.{number}.{operator}"
        vectors = nodes.add(operator, [vectors, *weights], given, domain=domain)
    if is_unit:
        _add_unit(nodes, vectors, f"dense.{number}.", output)


def _add_unit(nodes: Nodes, vectors: str, at: str, output: str) -> None:
    """Rows scaled to length 1, in operators that CUDA has."""
    squares = nodes.add("Mul", [vectors, vectors], at + "squares")
    axis = nodes.constant(at + "axis", np.array([1]))
    total = nodes.add("ReduceSum", [squares, axis], at + "square", keepdims=1)
    safe = nodes.add("Add", [total, nodes.constant(at + "least", LEAST_SQUARE)], at + "safe")
    nodes.add("Div", [vectors, nodes.add("Sqrt", [safe], at + "length")], output)


def _float(nodes: Nodes, weight: str) -> str:
    return nodes.add("Cast", [weight], f"{weight}.wide", to=TensorProto.FLOAT)
