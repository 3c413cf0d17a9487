"""Dense layers after the pooling, in a graph: float32, whatever the precision of their weights."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto

from polyseme.artifact import Activation, DenseSpec
from polyseme.artifact.heads import dense_bias, dense_weight
from polyseme.export.graphs.nodes import CONTRIB, Nodes

# Each has a CUDA kernel. Gelu is onnxruntime's: opset 17 has none.
_OPERATORS = {
    Activation.TANH: ("Tanh", ""),
    Activation.GELU: ("Gelu", CONTRIB),
    Activation.RELU: ("Relu", ""),
    Activation.SIGMOID: ("Sigmoid", ""),
}


def add_dense(nodes: Nodes, vectors: str, layers: Sequence[DenseSpec], output: str) -> None:
    """Vectors [B, H] through one or more layers to `output` [B, D]."""
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
    for step, (operator, domain, weights) in enumerate(steps, start=1):
        given = output if step == len(steps) else f"dense.{number}.{operator}"
        vectors = nodes.add(operator, [vectors, *weights], given, domain=domain)


def _float(nodes: Nodes, weight: str) -> str:
    return nodes.add("Cast", [weight], f"{weight}.wide", to=TensorProto.FLOAT)
