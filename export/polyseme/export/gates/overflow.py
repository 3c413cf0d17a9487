"""Finds blocks that leave the range of fp16, which ends at 65504: they are then computed in fp32, as fp32_blocks.

The output of a LayerNorm is small in every model; its input need not be. So this runs sentences of many lengths in
fp32, and looks at the numbers in the two blocks of each layer on the way to their LayerNorm.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from polyseme.artifact import Pooling, Precision, Variant, WeightEntry
from polyseme.export.encoders.encoder import EncoderConfig
from polyseme.export.graphs.graph import build_graph
from polyseme.export.graphs.nodes import ATTENTION, FEED_FORWARD, value
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.token_types import TokenTypes
from polyseme.runtime.engines.onnxruntime.padded_session import run_each

_SAFE: Final = 65504 / 4  # texts that are not looked at may go further
_MOST_TOKENS: Final = 128
_WATCHED: Final = {ATTENTION: ("attention", "attention.sum"), FEED_FORWARD: ("intermediate", "output", "output.sum")}


def find_fp32_blocks(
    config: EncoderConfig, samples: Sequence[Sequence[int]], weights: Path, tensors: Sequence[WeightEntry]
) -> tuple[str, ...]:
    """Name the blocks whose numbers come near to the largest that fp16 can hold.

    Args:
        config: sizes.
        samples: token ids of texts.
        weights: the weights in fp32; a graph is written beside them for a while.
        tensors: the places of the padded graph's initializers in this file.
    """
    model = build_graph(
        config, Variant.EMBED, Precision.FP32, pooling=Pooling.MEAN, weights=tensors, weights_file=weights.name
    )
    watched = _watch(model, config.num_hidden_layers)
    graph = weights.with_name("overflow.onnx")
    try:
        graph.write_bytes(model.SerializeToString())
        names = [name for block in watched.values() for name in block]
        most = min(_MOST_TOKENS, config.max_position_embeddings)
        types = TokenTypes.of(config)
        batches = [collate([ids[:most]], config.pad_token_id, config.padding_idx, types=types) for ids in samples]
        feeds = [batch.feeds() for batch in batches]
        seen = [[np.abs(values).max() for values in outputs] for outputs in run_each(graph, feeds, names)]
        largest = dict(zip(names, np.max(seen, axis=0).tolist(), strict=True))
    finally:
        graph.unlink(missing_ok=True)
    # Not `>`: NaN must not pass as small.
    return tuple(block for block, inside in watched.items() if not all(largest[name] <= _SAFE for name in inside))


def _watch(model: onnx.ModelProto, layers: int) -> dict[str, list[str]]:
    """Make outputs of what the blocks compute; gives their names by block."""
    for node in model.graph.node:
        if node.op_type == "SkipLayerNormalization" and node.name != "":
            # Its fourth output is what it normalizes.
            node.output.extend(["", "", node.input[2].removesuffix(".norm.weight") + ".sum"])
    watched = {
        f"layers.{number}.{block}": [f"layers.{number}.{name}" for name in names]
        for number in range(layers)
        for block, names in _WATCHED.items()
    }
    model.graph.output.extend(
        value(name, TensorProto.FLOAT, "B", "S", name) for names in watched.values() for name in names
    )
    return watched
