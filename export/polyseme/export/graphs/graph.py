"""Encoder to ONNX: onnxruntime's fused operators, emitted directly. Structure only; weights lie in a file beside it.

Pattern-matching fusion of a traced model is fragile and fails silently; here every layer is one fused attention, two
SkipLayerNormalization and one BiasGelu because nothing else is ever written. Pooling and L2 are computed in float32.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from polyseme.artifact import DenseSpec, Layout, Pooling, Precision, Variant, WeightEntry
from polyseme.artifact.graphs import (
    LAYER_WEIGHTS,
    NORMALIZED,
    POOLED,
    POSITIONS,
    SPAN_TOKENS,
    SPAN_VECTORS,
    SPAN_WEIGHTS,
    TOKEN_VECTORS,
    in_float32,
)
from polyseme.export.encoders.encoder import EncoderConfig
from polyseme.export.graphs.head_nodes import add_dense
from polyseme.export.graphs.nodes import CONTRIB, Nodes, value
from polyseme.export.graphs.packed import PackedNodes
from polyseme.export.graphs.padded import PaddedNodes

OPSET: Final = 17
IR_VERSION: Final = 8  # what onnxruntime 1.22 and all later ones read
_ELEMENT: Final = {Precision.FP32: TensorProto.FLOAT, Precision.FP16: TensorProto.FLOAT16}
FUSED_ATTENTION: Final = ("Attention", "MultiHeadAttention", "PackedMultiHeadAttention")


def build_graph(
    config: EncoderConfig,
    variant: Variant,
    precision: Precision,
    layout: Layout = Layout.PADDED,
    *,
    pooling: Pooling,
    dense: Sequence[DenseSpec] = (),
    fp32_blocks: Collection[str] = (),
    key_starts: bool = False,
    weights: Sequence[WeightEntry],
    weights_file: str,
) -> onnx.ModelProto:
    """Build the graph of one variant, precision and layout.

    Args:
        config: sizes.
        variant: EMBED pools texts; LAYERS gives tokens and spans of any layers.
        precision: of the weights and of all that is computed up to the pooling.
        layout: how texts lie.
        pooling: how EMBED pools.
        dense: the dense layers of EMBED after the pooling.
        fp32_blocks: as `Nodes` has them.
        key_starts: whether attentions are told where keys begin; see `PaddedNodes.give_key_starts`.
        weights: the place of each initializer in `weights_file`.
        weights_file: a plain name, in the graph's own folder.
    """
    biased = any(entry.name == "relative_bias" for entry in weights)
    nodes = encoder_nodes(config, layout, fp32_blocks, has_relative_bias=biased)
    return assemble(
        nodes,
        variant,
        precision,
        pooling=pooling,
        dense=dense,
        key_starts=key_starts,
        weights=weights,
        weights_file=weights_file,
    )


def encoder_nodes(
    config: EncoderConfig, layout: Layout, fp32_blocks: Collection[str] = (), *, has_relative_bias: bool = False
) -> Nodes:
    """Make the nodes of an encoder like BERT, for a layout of texts."""
    if layout is Layout.PACKED:
        return PackedNodes(config, fp32_blocks, has_relative_bias=has_relative_bias)
    return PaddedNodes(config, fp32_blocks, has_relative_bias=has_relative_bias)


def assemble(
    nodes: Nodes,
    variant: Variant,
    precision: Precision,
    *,
    pooling: Pooling,
    dense: Sequence[DenseSpec] = (),
    key_starts: bool = False,
    weights: Sequence[WeightEntry],
    weights_file: str,
) -> onnx.ModelProto:
    """Put the nodes of an encoder, whoever writes them, under the head of a variant. Arguments as in `build_graph`."""
    config = nodes.config
    last = nodes.encode()
    if key_starts:
        nodes.give_key_starts()
    inputs = nodes.inputs()
    if variant is Variant.EMBED:
        nodes.pool(last, pooling, "pool.vectors" if dense else POOLED)
        add_dense(nodes, "pool.vectors", dense, POOLED)
        nodes.normalize()
        size = dense[-1].out_features if dense else config.hidden_size
        shapes: dict[str, tuple[str | int, ...]] = {POOLED: ("B", size), NORMALIZED: ("B", size)}
    else:
        nodes.select()
        inputs += [
            value(POSITIONS, TensorProto.INT32, "P"),
            value(LAYER_WEIGHTS, TensorProto.FLOAT, "C", config.num_hidden_layers + 2),
            value(SPAN_TOKENS, TensorProto.INT32, "G", "M"),
            value(SPAN_WEIGHTS, TensorProto.FLOAT, "G", "K", "M"),
        ]
        shapes = {TOKEN_VECTORS: ("C", "P", config.hidden_size), SPAN_VECTORS: ("C", "G", "K", config.hidden_size)}
    outputs = [value(name, TensorProto.FLOAT, *shape) for name, shape in shapes.items()]
    outputs += [
        value(name, TensorProto.FLOAT16, *shapes[in_float32(name)]) for name in nodes.float16_outputs(list(shapes))
    ]
    graph = helper.make_graph(
        nodes.nodes,
        f"polyseme.{variant.value}",
        inputs=inputs,
        outputs=outputs,
        initializer=[*(_external(entry, precision, weights_file) for entry in weights), *nodes.constants],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="polyseme")


def fused_attention_count(model: onnx.ModelProto) -> int:
    """Count the fused operators of attention."""
    return sum(node.op_type in FUSED_ATTENTION and node.domain == CONTRIB for node in model.graph.node)


def _external(entry: WeightEntry, precision: Precision, weights_file: str) -> onnx.TensorProto:
    """Make an initializer whose bytes lie in the weight file."""
    tensor = TensorProto(
        name=entry.name, data_type=_ELEMENT[precision], dims=entry.shape, data_location=TensorProto.EXTERNAL
    )
    length = int(np.prod(entry.shape, dtype=np.int64)) * precision.dtype.itemsize
    for key, place in (("location", weights_file), ("offset", entry.offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(place))
    return tensor
