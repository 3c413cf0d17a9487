"""BERT (Devlin et al. 2018): BertModel and checkpoints with a head over it, whose head is left out."""

from __future__ import annotations

from typing import Final

import numpy as np

from polyseme.export.encoders.architectures import post_norm
from polyseme.export.encoders.architectures.reading import Fields, Weights, integer, read_sizes
from polyseme.export.encoders.encoder import Encoder, EncoderConfig, Float32Array
from polyseme.export.encoders.reference import Float64Array, HiddenStates
from polyseme.export.reading.checkpoint import Checkpoint

FAMILY: Final = post_norm.Family(
    prefix="bert.",
    query="encoder.layer.{}.attention.self.query",
    key="encoder.layer.{}.attention.self.key",
    value="encoder.layer.{}.attention.self.value",
    attention="encoder.layer.{}.attention.output.dense",
    attention_norm="encoder.layer.{}.attention.output.LayerNorm",
    intermediate="encoder.layer.{}.intermediate.dense",
    output="encoder.layer.{}.output.dense",
    output_norm="encoder.layer.{}.output.LayerNorm",
)
MUST_BE: Final = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}


def read_config(checkpoint: Checkpoint) -> EncoderConfig:
    """Check config.json, and read the sizes."""
    return read_sizes(checkpoint.config, Fields(), layer_norm_eps=1e-12, must_be=MUST_BE)


def left_out(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Name the weights that have no part in the encoder."""
    return FAMILY.weights(checkpoint).left_out


def read_encoder(checkpoint: Checkpoint, config: EncoderConfig) -> Encoder:
    """Map the weights."""
    weights = FAMILY.weights(checkpoint)
    return post_norm.read_encoder(weights, config, FAMILY, _positions(weights, checkpoint, config))


def reference(checkpoint: Checkpoint, config: EncoderConfig) -> HiddenStates:
    """Make the forward pass of BertModel in float64; ids of a second text are raised by the size of the vocabulary."""
    weights = FAMILY.weights(checkpoint)
    table = weights("embeddings.position_embeddings.weight", config.max_position_embeddings, config.hidden_size)
    types = token_types(weights, checkpoint, config)

    def positions(ids: list[int]) -> Float64Array:
        kinds = types[[int(i >= config.vocab_size) for i in ids]]
        rows: Float64Array = np.add(table[: len(ids)], kinds, dtype=np.float64)
        return rows

    return post_norm.reference(weights, config, FAMILY, positions)


def _positions(weights: Weights, checkpoint: Checkpoint, config: EncoderConfig) -> Float64Array:
    """Give the rows added at each position, [types * P, H]: those of each token type added here, not in every run."""
    table = weights("embeddings.position_embeddings.weight", config.max_position_embeddings, config.hidden_size)
    types = token_types(weights, checkpoint, config)[: config.token_types]
    return np.concatenate([np.add(table, kind, dtype=np.float64) for kind in types])


def token_types(weights: Weights, checkpoint: Checkpoint, config: EncoderConfig) -> Float32Array:
    """Read the table of token types, [types, H] float32."""
    types = integer(checkpoint.config, "type_vocab_size", 1 << 10, default=2)
    return weights("embeddings.token_type_embeddings.weight", types, config.hidden_size)
