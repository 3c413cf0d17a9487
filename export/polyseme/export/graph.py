"""Encoder to ONNX: onnxruntime's fused operators, emitted directly. Structure only; weights lie in a file beside it.

Pattern-matching fusion of a traced model is fragile and fails silently; here every layer is one Attention, two
SkipLayerNormalization and one BiasGelu because nothing else is ever written. Pooling and L2 are computed in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from polyseme.artifact import Pooling, Precision, Variant, WeightEntry
from polyseme.artifact.graphs import (
    INPUT_IDS,
    LAYER_WEIGHTS,
    LENGTHS,
    NORMALIZED,
    POOLED,
    POSITIONS,
    SPAN_VECTORS,
    SPAN_WEIGHTS,
    TOKEN_VECTORS,
)
from polyseme.export.encoder import EncoderConfig

_CONTRIB = "com.microsoft"
_OPSET, _IR_VERSION = 17, 8  # what onnxruntime 1.22 and all later ones read
_ELEMENT = {Precision.FP32: TensorProto.FLOAT, Precision.FP16: TensorProto.FLOAT16}
FUSED_ATTENTION = ("Attention", "MultiHeadAttention", "PackedMultiHeadAttention")


def build_graph(
    config: EncoderConfig,
    variant: Variant,
    precision: Precision,
    *,
    pooling: Pooling,
    weights: Sequence[WeightEntry],
    weights_file: str,
) -> onnx.ModelProto:
    """The graph of one variant and precision.

    Args:
        config: sizes.
        variant: EMBED pools texts; LAYERS gives tokens and spans of any layers.
        precision: of the weights and of all that is computed up to the pooling.
        pooling: how EMBED pools.
        weights: where each initializer lies in `weights_file`.
        weights_file: a plain name, in the graph's own folder.
    """
    used = _Nodes(config)
    last = used.encode()
    inputs = [_value(INPUT_IDS, TensorProto.INT32, "B", "S"), _value(LENGTHS, TensorProto.INT32, "B")]
    if variant is Variant.EMBED:
        used.pool(last, pooling)
        outputs = [_value(name, TensorProto.FLOAT, "B", config.hidden_size) for name in (POOLED, NORMALIZED)]
    else:
        used.select()
        inputs += [
            _value(POSITIONS, TensorProto.INT32, "P"),
            _value(LAYER_WEIGHTS, TensorProto.FLOAT, "C", config.num_hidden_layers + 2),
            _value(SPAN_WEIGHTS, TensorProto.FLOAT, "K", "P"),
        ]
        outputs = [
            _value(TOKEN_VECTORS, TensorProto.FLOAT, "C", "P", config.hidden_size),
            _value(SPAN_VECTORS, TensorProto.FLOAT, "C", "K", config.hidden_size),
        ]
    graph = helper.make_graph(
        used.nodes,
        f"polyseme.{variant.value}",
        inputs=inputs,
        outputs=outputs,
        initializer=[*(_external(entry, precision, weights_file) for entry in weights), *used.constants],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="polyseme")


def fused_attention_count(model: onnx.ModelProto) -> int:
    """How many layers attend in one fused operator."""
    return sum(node.op_type in FUSED_ATTENTION and node.domain == _CONTRIB for node in model.graph.node)


@dataclass(slots=True)
class _Nodes:
    """The nodes of a graph under construction, in the order of computation."""

    config: EncoderConfig
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(
        self,
        op: str,
        inputs: list[str],
        output: str,
        *,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401  whatever the operator has
    ) -> str:
        """One node with one output, named as it."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def constant(self, name: str, values: object) -> str:
        """A small constant that stays in the graph."""
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def encode(self) -> str:
        """Ids to the last hidden state; gives its name."""
        x = self.add(
            "EmbedLayerNormalization",
            [INPUT_IDS, "", *(f"embeddings.{part}" for part in ("word", "position")), "", *_norm("embeddings")],
            _hidden_state(0),
            domain=_CONTRIB,
            epsilon=self.config.layer_norm_eps,
        )
        # The operator declares a second output, the mask index, which is not wanted: lengths are an input.
        self.nodes[-1].output.append("embeddings.mask_index")
        for number in range(self.config.num_hidden_layers):
            x = self._layer(x, f"layers.{number}.", _hidden_state(number + 1))
        return x

    def _layer(self, x: str, at: str, output: str) -> str:
        context = self.add(
            "Attention",
            [x, at + "qkv.weight", at + "qkv.bias", LENGTHS],
            at + "context",
            domain=_CONTRIB,
            num_heads=self.config.num_attention_heads,
        )
        projected = self.add("MatMul", [context, at + "attention.weight"], at + "attention")
        y = self._skip_norm(projected, x, at + "attention", at + "attention.normalized")
        inner = self.add("MatMul", [y, at + "intermediate.weight"], at + "intermediate")
        gelu = self.add("BiasGelu", [inner, at + "intermediate.bias"], at + "gelu", domain=_CONTRIB)
        outer = self.add("MatMul", [gelu, at + "output.weight"], at + "output")
        return self._skip_norm(outer, y, at + "output", output)

    def _skip_norm(self, x: str, skip: str, weights: str, output: str) -> str:
        """LayerNorm(x + skip + bias)."""
        inputs = [x, skip, *_norm(weights), weights + ".bias"]
        return self.add("SkipLayerNormalization", inputs, output, domain=_CONTRIB, epsilon=self.config.layer_norm_eps)

    def pool(self, last_hidden_state: str, pooling: Pooling) -> None:
        """The last hidden state to `pooled` and `normalized`, in float32: fp16 would overflow past 65504."""
        hidden = self.add("Cast", [last_hidden_state], "pool.hidden", to=TensorProto.FLOAT)
        if pooling is Pooling.CLS:
            self.add("Gather", [hidden, self.constant("pool.first", np.int64(0))], POOLED, axis=1)
        else:
            self._mean(hidden)
        self.add("LpNormalization", [POOLED], NORMALIZED, axis=-1, p=2)

    def _mean(self, hidden: str) -> None:
        """The mean over real tokens, as one product with a mask [B, 1, S]: padding has weight 0."""
        axis = self.constant("pool.axis_1", np.array([1]))
        length = self.add("Cast", [LENGTHS], "pool.length", to=TensorProto.INT64)
        lengths = self.add("Unsqueeze", [length, axis], "pool.lengths")
        size = self.add("Shape", [INPUT_IDS], "pool.shape", start=1, end=2)
        steps = [self.constant("pool.0", np.int64(0)), self.add("Squeeze", [size], "pool.size")]
        positions = self.add("Range", [*steps, self.constant("pool.1", np.int64(1))], "pool.positions")
        real = self.add("Less", [positions, lengths], "pool.real")
        weights = self.add("Cast", [real], "pool.weights", to=TensorProto.FLOAT)
        mask = self.add("Unsqueeze", [weights, axis], "pool.mask")
        total = self.add("Squeeze", [self.add("MatMul", [mask, hidden], "pool.total"), axis], "pool.sum")
        count = self.add("Cast", [lengths], "pool.count", to=TensorProto.FLOAT)
        self.add("Div", [total, count], POOLED)

    def select(self) -> None:
        """Tokens at `positions` of every state, joined by `layer_weights` and pooled by `span_weights`, in float32.

        Tokens are gathered before anything is joined: what it costs grows with the tokens that were asked for.
        """
        size = self.config.hidden_size
        rows = self.constant("select.rows", np.array([-1, size]))
        ids = self.add("Reshape", [INPUT_IDS, self.constant("select.flat", np.array([-1]))], "select.ids")
        asked = self.add("Gather", [ids, POSITIONS], "select.asked")
        states = [self.add("Gather", ["embeddings.word", asked], "select.static")]
        for layer in range(self.config.num_hidden_layers + 1):
            flat = self.add("Reshape", [_hidden_state(layer), rows], f"select.{layer}.flat")
            states.append(self.add("Gather", [flat, POSITIONS], f"select.{layer}"))
        axis = self.constant("select.axis_0", np.array([0]))
        stacked = [self.add("Unsqueeze", [state, axis], f"{state}.stacked") for state in states]
        every = self.add("Concat", stacked, "select.every", axis=0)
        wide = self.add("Cast", [every], "select.wide", to=TensorProto.FLOAT)
        # One product over the layers: [C, L + 2] with [L + 2, P * H].
        lines = self.add("Flatten", [wide], "select.lines", axis=1)
        joined = self.add("MatMul", [LAYER_WEIGHTS, lines], "select.joined")
        shape = self.constant("select.shape", np.array([0, -1, size]))
        self.add("Reshape", [joined, shape], TOKEN_VECTORS)
        self.add("MatMul", [SPAN_WEIGHTS, TOKEN_VECTORS], SPAN_VECTORS)


def _hidden_state(layer: int) -> str:
    """What layer 0 (embeddings) to L (last encoder layer) gives, [B, S, H]."""
    return f"hidden_states.{layer}"


def _value(name: str, element: int, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


def _norm(at: str) -> tuple[str, str]:
    """The initializers of a LayerNorm."""
    return f"{at}.norm.weight", f"{at}.norm.bias"


def _external(entry: WeightEntry, precision: Precision, weights_file: str) -> onnx.TensorProto:
    """An initializer whose bytes lie in the weight file."""
    tensor = TensorProto(
        name=entry.name, data_type=_ELEMENT[precision], dims=entry.shape, data_location=TensorProto.EXTERNAL
    )
    length = int(np.prod(entry.shape, dtype=np.int64)) * precision.dtype.itemsize
    for key, value in (("location", weights_file), ("offset", entry.offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
