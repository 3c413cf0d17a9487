"""DistilBERT (Sanh et al. 2019): BERT's layers under other names, and no token types."""

from __future__ import annotations

from typing import Final

import numpy as np

from polyseme.export.encoders.architectures import post_norm
from polyseme.export.encoders.architectures.reading import Fields, Weights, read_sizes
from polyseme.export.encoders.encoder import Encoder, EncoderConfig
from polyseme.export.encoders.reference import Float64Array, HiddenStates
from polyseme.export.reading.checkpoint import Checkpoint

FAMILY: Final = post_norm.Family(
    prefix="distilbert.",
    query="transformer.layer.{}.attention.q_lin",
    key="transformer.layer.{}.attention.k_lin",
    value="transformer.layer.{}.attention.v_lin",
    attention="transformer.layer.{}.attention.out_lin",
    attention_norm="transformer.layer.{}.sa_layer_norm",
    intermediate="transformer.layer.{}.ffn.lin1",
    output="transformer.layer.{}.ffn.lin2",
    output_norm="transformer.layer.{}.output_layer_norm",
    roots=("embeddings.", "transformer."),
)
_FIELDS: Final = Fields(
    hidden_size="dim",
    num_hidden_layers="n_layers",
    num_attention_heads="n_heads",
    intermediate_size="hidden_dim",
    hidden_act="activation",
)


def read_config(checkpoint: Checkpoint) -> EncoderConfig:
    """Check config.json, and read the sizes. The epsilon is in the model's code, and not in its configuration."""
    return read_sizes(checkpoint.config, _FIELDS, layer_norm_eps=1e-12, must_be={"layer_norm_eps": 1e-12})


def left_out(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Name the weights that have no part in the encoder."""
    return FAMILY.weights(checkpoint).left_out


def read_encoder(checkpoint: Checkpoint, config: EncoderConfig) -> Encoder:
    """Map the weights."""
    weights = FAMILY.weights(checkpoint)
    return post_norm.read_encoder(weights, config, FAMILY, _positions(weights, config))


def reference(checkpoint: Checkpoint, config: EncoderConfig) -> HiddenStates:
    """Make the forward pass of DistilBertModel in float64."""
    weights = FAMILY.weights(checkpoint)
    positions = _positions(weights, config)
    return post_norm.reference(weights, config, FAMILY, lambda ids: positions[: len(ids)])


def _positions(weights: Weights, config: EncoderConfig) -> Float64Array:
    table = weights("embeddings.position_embeddings.weight", config.max_position_embeddings, config.hidden_size)
    return table.astype(np.float64)
