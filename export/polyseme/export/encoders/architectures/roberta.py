"""RoBERTa (Liu et al. 2019), and what is built like it: XLM-R (Conneau et al. 2020), CamemBERT.

BERT's layers; positions are counted from behind the padding's id, so that the table's first rows are never used. Tokens
of that id are not counted, wherever they stand: all of them have the row of the padding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from polyseme.export.encoders.architectures import bert, post_norm
from polyseme.export.encoders.architectures.reading import Fields, Weights, read_sizes
from polyseme.export.encoders.encoder import Encoder, EncoderConfig, Float32Array
from polyseme.export.encoders.reference import Float64Array, HiddenStates
from polyseme.export.errors import CheckpointError
from polyseme.export.reading.checkpoint import Checkpoint

FAMILY: Final = replace(bert.FAMILY, prefix="roberta.")


def read_config(checkpoint: Checkpoint) -> EncoderConfig:
    """Check config.json, and read the sizes; of the positions, those that a text can have."""
    config = read_sizes(checkpoint.config, Fields(), layer_norm_eps=1e-12, must_be=bert.MUST_BE, pad_token_id=1)
    return without_unused_positions(config)


def without_unused_positions(config: EncoderConfig) -> EncoderConfig:
    """Leave out the positions that no token has: the first has position pad_token_id + 1, padding has pad_token_id.

    Raises:
        CheckpointError: no position is left.
    """
    usable = config.max_position_embeddings - config.pad_token_id - 1
    if usable < 1:
        raise CheckpointError(
            f"config.json max_position_embeddings: got {config.max_position_embeddings}; "
            f"positions begin at {config.pad_token_id + 1}, behind pad_token_id"
        )
    return replace(config, max_position_embeddings=usable, padding_idx=config.pad_token_id)


def left_out(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Name the weights that have no part in the encoder."""
    return FAMILY.weights(checkpoint).left_out


def read_encoder(checkpoint: Checkpoint, config: EncoderConfig) -> Encoder:
    """Map the weights."""
    weights = FAMILY.weights(checkpoint)
    return post_norm.read_encoder(weights, config, FAMILY, _positions(weights, checkpoint, config))


def reference(checkpoint: Checkpoint, config: EncoderConfig) -> HiddenStates:
    """Make the forward pass of RobertaModel in float64."""
    weights = FAMILY.weights(checkpoint)
    rows = position_rows(weights, config)
    kind = bert.token_types(weights, checkpoint, config)[0].astype(np.float64)
    return post_norm.reference(weights, config, FAMILY, lambda ids: rows(ids) + kind)


def position_rows(weights: Weights, config: EncoderConfig) -> Callable[[list[int]], Float64Array]:
    """Make a function, for the reference, that gives the rows [S, H] of a text's positions, counted token by token."""
    padding = config.pad_token_id
    table = _table(weights, config).astype(np.float64)

    def rows(ids: list[int]) -> Float64Array:
        positions, last = [], padding
        for i in ids:
            last += i != padding
            positions.append(padding if i == padding else last)
        return table[positions]

    return rows


def _positions(weights: Weights, checkpoint: Checkpoint, config: EncoderConfig) -> Float64Array:
    """Give the rows [P + 1, H] added at each position, with the row of the only segment."""
    table = used_positions(weights, config)
    positions: Float64Array = np.add(table, bert.token_types(weights, checkpoint, config)[0], dtype=np.float64)
    return positions


def used_positions(weights: Weights, config: EncoderConfig) -> Float32Array:
    """Read the rows of the position table that tokens can have, [P + 1, H] float32; row 0 is that of padding."""
    return _table(weights, config)[config.pad_token_id :]


def _table(weights: Weights, config: EncoderConfig) -> Float32Array:
    """Read the whole table, [pad_token_id + 1 + P, H]."""
    rows = config.pad_token_id + 1 + config.max_position_embeddings
    return weights("embeddings.position_embeddings.weight", rows, config.hidden_size)
