"""A BERT-like encoder in the form that every mapping produces and the graph builder takes.

    x_0     = LayerNorm(word[id] + position[i])
    a       = x + Attention(x) W_o + b_o,   y = LayerNorm(a)
    x_{i+1} = LayerNorm(y + gelu(y W_in + b_in) W_out + b_out)

Matrices are stored input-first, [in, out], as MatMul takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Sizes of an encoder.

    Attributes:
        max_position_embeddings: most tokens that have a position each.
        hidden_act: `gelu`, the exact one with erf.
        padding_idx: as `EncoderSpec` has it.
        token_types: as `EncoderSpec` has it.
    """

    architecture: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    layer_norm_eps: float
    hidden_act: str
    pad_token_id: int
    padding_idx: int | None = None
    token_types: int = 1

    @property
    def positions_are_given(self) -> bool:
        """Tell whether padded graphs are given each token's row of the position table; else it is the token's place."""
        return self.padding_idx is not None or self.token_types > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm:
    """Scale and shift, each [H]."""

    weight: Float32Array
    bias: Float32Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One encoder layer.

    Attributes:
        qkv_weight: [H, 3H], columns query, key, value.
        qkv_bias: [3H].
        attention_weight: [H, H].
        intermediate_weight: [H, I].
        output_weight: [I, H].
    """

    qkv_weight: Float32Array
    qkv_bias: Float32Array
    attention_weight: Float32Array
    attention_bias: Float32Array
    attention_norm: LayerNorm
    intermediate_weight: Float32Array
    intermediate_bias: Float32Array
    output_weight: Float32Array
    output_bias: Float32Array
    output_norm: LayerNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """An encoder with its weights.

    Attributes:
        word_embeddings: [V, H].
        position_embeddings: [P, H], row i for place i of a text, with the row of token type 0 added to each; with a
            padding_idx [P + 1, H], row 0 that of its tokens; with two token types [2P, H], those of type 1 behind.
        relative_bias: [N, 2P - 1], what every layer adds to the score of a key d places behind its query, at P - 1 + d;
            None where the model has none.
    """

    config: EncoderConfig
    word_embeddings: Float32Array
    position_embeddings: Float32Array
    embedding_norm: LayerNorm
    layers: tuple[Layer, ...]
    relative_bias: Float32Array | None = None

    def initializers(self) -> Iterator[tuple[str, Float32Array]]:
        """Give every weight of the padded graphs by its name in graphs and manifest, in order of use.

        The shapes are those of the attributes, of this class and of `Layer`.
        """
        yield "embeddings.word", self.word_embeddings
        yield "embeddings.position", self.position_embeddings
        yield "embeddings.norm.weight", self.embedding_norm.weight
        yield "embeddings.norm.bias", self.embedding_norm.bias
        if self.relative_bias is not None:
            yield "relative_bias", self.relative_bias
        for number, layer in enumerate(self.layers):
            for name, values in {**_joined_attention(layer), **_shared(layer)}.items():
                yield f"layers.{number}.{name}", values

    def packed_initializers(self) -> Iterator[tuple[str, Float32Array]]:
        """Give the weights that packed graphs have in place of `PADDED_ONLY`: query, key, value apart, [H, H]."""
        for number, layer in enumerate(self.layers):
            for name, values in _split_attention(layer).items():
                yield f"layers.{number}.{name}", values


PADDED_ONLY: Final = ("qkv.weight", "qkv.bias", "attention.bias")
"""Of each layer, what the packed graphs do without."""


def _shared(layer: Layer) -> dict[str, Float32Array]:
    return {
        "attention.weight": layer.attention_weight,
        "attention.norm.weight": layer.attention_norm.weight,
        "attention.norm.bias": layer.attention_norm.bias,
        "intermediate.weight": layer.intermediate_weight,
        "intermediate.bias": layer.intermediate_bias,
        "output.weight": layer.output_weight,
        "output.bias": layer.output_bias,
        "output.norm.weight": layer.output_norm.weight,
        "output.norm.bias": layer.output_norm.bias,
    }


def _joined_attention(layer: Layer) -> dict[str, Float32Array]:
    return {"qkv.weight": layer.qkv_weight, "qkv.bias": layer.qkv_bias, "attention.bias": layer.attention_bias}


def _split_attention(layer: Layer) -> dict[str, Float32Array]:
    """Query, key and value apart, and of their biases only what is left when the attention has none.

    The key's adds the same to all scores of a query, which softmax takes out. The value's adds itself to every context,
    as weights sum to 1: it is moved through the output projection.
    """
    query, key, value = np.split(layer.qkv_weight, 3, axis=1)
    query_bias, _, value_bias = np.split(layer.qkv_bias, 3)
    moved = layer.attention_bias + value_bias.astype(np.float64) @ layer.attention_weight
    return {
        "query.weight": query,
        "query.bias": query_bias,
        "key.weight": key,
        "value.weight": value,
        "attention.moved_bias": moved.astype(np.float32),
    }
