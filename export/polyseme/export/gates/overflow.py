"""Where a model leaves the range of fp16, which ends at 65504: blocks that are then computed in fp32, fp32_blocks.

What a LayerNorm gives is small in every model; what goes into it need not be. So it is looked at what the two blocks of
each layer compute on the way to their LayerNorm, in fp32, on sentences of many lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from polyseme.artifact import Pooling, Precision, Variant, WeightEntry
from polyseme.export.encoders.encoder import EncoderConfig
from polyseme.export.graphs.graph import build_graph
from polyseme.export.graphs.nodes import ATTENTION, FEED_FORWARD, value
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.onnxruntime.padded_session import run_each

_SAFE = 65504 / 4  # other texts than those that are looked at may go further
_MOST_TOKENS = 128
_WATCHED = {ATTENTION: ("attention", "attention.sum"), FEED_FORWARD: ("intermediate", "output", "output.sum")}


def find_fp32_blocks(
    config: EncoderConfig, samples: Sequence[Sequence[int]], weights: Path, tensors: Sequence[WeightEntry]
) -> tuple[str, ...]:
    """The blocks that come near to what fp16 can hold, by name.

    Args:
        config: sizes.
        samples: token ids of texts.
        weights: the weights in fp32; a graph is written beside them for a while.
        tensors: where the padded graph's lie in it.
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
        feeds = [collate([ids[:most]], config.pad_token_id, config.padding_idx).feeds() for ids in samples]
        seen = [[np.abs(values).max() for values in outputs] for outputs in run_each(graph, feeds, names)]
        largest = dict(zip(names, np.max(seen, axis=0).tolist(), strict=True))
    finally:
        graph.unlink(missing_ok=True)
    # Not `>`: a number that is none is no proof of being small.
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
