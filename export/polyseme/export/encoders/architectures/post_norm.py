"""Encoders that normalize after each block, as BERT does: one mapping for all families, by the names that each has.

`Family` holds the names in which families differ. What only one of them has is in its own file: how positions count,
token types, a bias by distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from polyseme.export.encoders.architectures.reading import Weights
from polyseme.export.encoders.encoder import Encoder, EncoderConfig, Float32Array, Layer
from polyseme.export.encoders.reference import Float64Array, HiddenStates, attention, gelu, layer_norm
from polyseme.export.reading.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The names of a family's weights; in the name of a layer's weight, `{}` is the layer's number."""

    prefix: str
    query: str
    key: str
    value: str
    attention: str
    attention_norm: str
    intermediate: str
    output: str
    output_norm: str
    roots: tuple[str, ...] = ("embeddings.", "encoder.")
    buffers: tuple[str, ...] = ("embeddings.position_ids", "embeddings.token_type_ids")  # 0, 1, 2, ... and 0, 0, 0, ...

    def weights(self, checkpoint: Checkpoint) -> Weights:
        """Give the weights of a checkpoint under these names."""
        return Weights(checkpoint, self.prefix, self.roots, self.buffers)


def read_encoder(
    weights: Weights,
    config: EncoderConfig,
    family: Family,
    positions: Float64Array,
    relative_bias: Float32Array | None = None,
) -> Encoder:
    """Map the weights.

    Args:
        weights: the weights of the checkpoint.
        config: sizes.
        family: names.
        positions: `Encoder.position_embeddings`, [P, H] or [P + 1, H].
        relative_bias: `Encoder.relative_bias`, [N, 2P - 1].

    Raises:
        CheckpointError: a weight is missing or misshapen, or one is left over that the encoder would not use.
    """
    encoder = Encoder(
        config=config,
        word_embeddings=weights("embeddings.word_embeddings.weight", config.vocab_size, config.hidden_size),
        position_embeddings=positions.astype(np.float32),
        embedding_norm=weights.norm("embeddings.LayerNorm", config.hidden_size),
        layers=tuple(_layer(weights, config, family, str(number)) for number in range(config.num_hidden_layers)),
        relative_bias=relative_bias,
    )
    weights.refuse_leftovers()
    return encoder


def _layer(weights: Weights, config: EncoderConfig, family: Family, number: str) -> Layer:
    h, i = config.hidden_size, config.intermediate_size
    parts = [name.format(number) for name in (family.query, family.key, family.value)]
    attended, inner, outer = (name.format(number) for name in (family.attention, family.intermediate, family.output))
    return Layer(
        qkv_weight=np.concatenate([weights(part + ".weight", h, h).T for part in parts], axis=1),
        qkv_bias=np.concatenate([weights(part + ".bias", h) for part in parts]),
        attention_weight=weights(attended + ".weight", h, h).T,
        attention_bias=weights(attended + ".bias", h),
        attention_norm=weights.norm(family.attention_norm.format(number), h),
        intermediate_weight=weights(inner + ".weight", i, h).T,
        intermediate_bias=weights(inner + ".bias", i),
        output_weight=weights(outer + ".weight", h, i).T,
        output_bias=weights(outer + ".bias", h),
        output_norm=weights.norm(family.output_norm.format(number), h),
    )


def reference(
    weights: Weights,
    config: EncoderConfig,
    family: Family,
    positions: Callable[[list[int]], Float64Array],
    bias: Callable[[int], Float64Array] | None = None,
) -> HiddenStates:
    """Make the same model in float64, which runs one text at a time, from weights as the checkpoint has them.

    Args:
        weights: the weights of the checkpoint.
        config: sizes.
        family: names.
        positions: for a text of S ids, the rows [S, H] added to its tokens.
        bias: for texts of S tokens, the bias [N, S, S] added to the scores of each head.
    """
    h, i, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads

    def dense(x: Float64Array, name: str, size_in: int, size_out: int) -> Float64Array:
        product: Float64Array = x @ weights(name + ".weight", size_out, size_in).astype(np.float64).T
        return product + weights(name + ".bias", size_out)

    def norm(x: Float64Array, name: str) -> Float64Array:
        scale = weights.norm(name, h)
        return layer_norm(x, scale.weight.astype(np.float64), scale.bias.astype(np.float64), config.layer_norm_eps)

    def attend(query: Float64Array, key: Float64Array, value: Float64Array) -> Float64Array:
        return attention(query, key, value, heads, None if bias is None else bias(len(query)))

    def hidden_states(texts: list[list[int]]) -> Iterator[list[Float64Array]]:
        words = weights("embeddings.word_embeddings.weight", config.vocab_size, h)
        plain = [[i % config.vocab_size for i in ids] for ids in texts]  # ids of a second text are raised by the size
        xs = [norm(words[own] + positions(ids), "embeddings.LayerNorm") for own, ids in zip(plain, texts, strict=True)]
        del words  # the word table has a gigabyte in some models; all that follows takes a while
        yield xs
        for number in map(str, range(config.num_hidden_layers)):
            # All texts side by side: one product per matrix, as no token of one text sees another but in attention.
            x = np.concatenate(xs)
            ends = np.cumsum([len(ids) for ids in texts])[:-1]
            parts = (family.query, family.key, family.value)
            q, k, v = (np.split(dense(x, part.format(number), h, h), ends) for part in parts)
            context = np.concatenate([attend(*qkv) for qkv in zip(q, k, v, strict=True)])
            attended = dense(context, family.attention.format(number), h, h)
            y = norm(x + attended, family.attention_norm.format(number))
            inner = gelu(dense(y, family.intermediate.format(number), h, i))
            outer = dense(inner, family.output.format(number), i, h)
            xs = np.split(norm(y + outer, family.output_norm.format(number)), ends)
            yield xs

    return hidden_states
