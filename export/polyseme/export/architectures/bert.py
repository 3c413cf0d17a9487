"""BERT (Devlin et al. 2018): BertModel and checkpoints with a head over it, whose head is left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polyseme.export.checkpoint import Checkpoint
from polyseme.export.encoder import Encoder, EncoderConfig, Float32Array, Layer, LayerNorm
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reference import HiddenStates, attention, gelu, layer_norm

_EXACT_GELU = ("gelu", "gelu_python")  # two names of x * Phi(x), by erf
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")  # 0, 1, 2, ... and 0, 0, 0, ...; not learned
_MUST_BE = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}


def read_config(checkpoint: Checkpoint) -> EncoderConfig:
    """Check config.json, and read the sizes.

    Raises:
        UnsupportedError: an activation or a variant that the graph would not compute.
        CheckpointError: a size is missing or makes no sense.
    """
    config = checkpoint.config
    activation = config.get("hidden_act", "gelu")
    if activation not in _EXACT_GELU:
        raise UnsupportedError(f"config.json hidden_act {str(activation)[:40]!r} is not supported; gelu is")
    for field, needed in _MUST_BE.items():
        if config.get(field, needed) != needed:
            raise UnsupportedError(f"config.json {field} {str(config[field])[:40]!r} is not supported; {needed!r} is")
    size = _sizes(config)
    hidden, heads = size("hidden_size", 1 << 16), size("num_attention_heads", 1 << 10)
    if hidden % heads:
        raise CheckpointError(f"config.json hidden_size {hidden} is not a multiple of num_attention_heads {heads}")
    eps = config.get("layer_norm_eps", 1e-12)
    if type(eps) not in (int, float) or not 0 <= eps < 1:
        raise CheckpointError(f"config.json layer_norm_eps: expected a number within 0..1, got {str(eps)[:40]!r}")
    vocab_size = size("vocab_size", 1 << 24)
    pad_token_id = config.get("pad_token_id") or 0
    if type(pad_token_id) is not int or not 0 <= pad_token_id < vocab_size:
        raise CheckpointError(f"config.json pad_token_id: got {str(pad_token_id)[:40]!r}; limits 0..{vocab_size - 1}")
    return EncoderConfig(
        architecture="bert",
        hidden_size=hidden,
        num_hidden_layers=size("num_hidden_layers", 1 << 10),
        num_attention_heads=heads,
        intermediate_size=size("intermediate_size", 1 << 18),
        vocab_size=vocab_size,
        max_position_embeddings=size("max_position_embeddings", 1 << 17),
        layer_norm_eps=float(eps),
        hidden_act="gelu",
        pad_token_id=pad_token_id,
    )


def read_encoder(checkpoint: Checkpoint, config: EncoderConfig) -> Encoder:
    """Map the weights.

    Raises:
        CheckpointError: a weight is missing or misshapen, or one is left over that the encoder would not use.
    """
    weights = _Weights(checkpoint, config)
    position = weights("embeddings.position_embeddings.weight", config.max_position_embeddings, config.hidden_size)
    encoder = Encoder(
        config=config,
        word_embeddings=weights("embeddings.word_embeddings.weight", config.vocab_size, config.hidden_size),
        # One segment only: its row is added here once, instead of in every run.
        position_embeddings=position + weights.token_types()[0],
        embedding_norm=weights.norm("embeddings.LayerNorm"),
        layers=tuple(_layer(weights, number) for number in range(config.num_hidden_layers)),
    )
    weights.refuse_leftovers()
    return encoder


def reference(checkpoint: Checkpoint, config: EncoderConfig) -> HiddenStates:
    """The forward pass of BertModel in float64, one text at a time, from the checkpoint's own names."""
    weights = _Weights(checkpoint, config)

    def double(name: str, *shape: int) -> Any:  # noqa: ANN401
        return weights(name, *shape).astype(np.float64)

    def dense(x: Any, name: str, size_in: int, size_out: int) -> Any:  # noqa: ANN401
        return x @ double(name + ".weight", size_out, size_in).T + double(name + ".bias", size_out)

    def norm(x: Any, name: str) -> Any:  # noqa: ANN401
        scale = weights.norm(name)
        return layer_norm(x, scale.weight.astype(np.float64), scale.bias.astype(np.float64), config.layer_norm_eps)

    def hidden_states(texts: list[list[int]]) -> Any:  # noqa: ANN401
        h, i, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
        word = weights("embeddings.word_embeddings.weight", config.vocab_size, h)
        position = double("embeddings.position_embeddings.weight", config.max_position_embeddings, h)
        token_type = weights.token_types()[0].astype(np.float64)
        xs = [norm(word[ids] + position[: len(ids)] + token_type, "embeddings.LayerNorm") for ids in texts]
        yield xs
        for number in range(config.num_hidden_layers):
            at = f"encoder.layer.{number}."
            # All texts side by side: one product per matrix, as no token of one text sees another but in attention.
            x = np.concatenate(xs)
            ends = np.cumsum([len(ids) for ids in texts])[:-1]
            q, k, v = (
                np.split(dense(x, at + f"attention.self.{part}", h, h), ends) for part in ("query", "key", "value")
            )
            context = np.concatenate([attention(*qkv, heads) for qkv in zip(q, k, v, strict=True)])
            y = norm(x + dense(context, at + "attention.output.dense", h, h), at + "attention.output.LayerNorm")
            inner = gelu(dense(y, at + "intermediate.dense", h, i))
            xs = np.split(norm(y + dense(inner, at + "output.dense", i, h), at + "output.LayerNorm"), ends)
            yield xs

    return hidden_states


def _layer(weights: _Weights, number: int) -> Layer:
    config = weights.config
    h, i, at = config.hidden_size, config.intermediate_size, f"encoder.layer.{number}."
    parts = [at + f"attention.self.{part}" for part in ("query", "key", "value")]
    return Layer(
        qkv_weight=np.concatenate([weights(part + ".weight", h, h).T for part in parts], axis=1),
        qkv_bias=np.concatenate([weights(part + ".bias", h) for part in parts]),
        attention_weight=weights(at + "attention.output.dense.weight", h, h).T,
        attention_bias=weights(at + "attention.output.dense.bias", h),
        attention_norm=weights.norm(at + "attention.output.LayerNorm"),
        intermediate_weight=weights(at + "intermediate.dense.weight", i, h).T,
        intermediate_bias=weights(at + "intermediate.dense.bias", i),
        output_weight=weights(at + "output.dense.weight", h, i).T,
        output_bias=weights(at + "output.dense.bias", h),
        output_norm=weights.norm(at + "output.LayerNorm"),
    )


class _Weights:
    """Weights by the names of BertModel, whatever prefix and age the checkpoint is of."""

    def __init__(self, checkpoint: Checkpoint, config: EncoderConfig) -> None:
        self.config = config
        self._checkpoint = checkpoint
        self._prefix = "bert." if "bert.embeddings.word_embeddings.weight" in checkpoint else ""
        self._taken = {self._prefix + name for name in _BUFFERS}

    def __call__(self, name: str, *shape: int) -> Float32Array:
        self._taken.add(self._prefix + name)
        return self._checkpoint.tensor(self._prefix + name, shape)

    def refuse_leftovers(self) -> None:
        """Refuse weights of the encoder that nobody asked for: config.json then describes another model."""
        parts = tuple(self._prefix + part for part in ("embeddings.", "encoder."))
        for name in self._checkpoint:
            if name.startswith(parts) and name not in self._taken:
                raise CheckpointError(f"weight {name[:120]} has no place in the model that config.json describes")

    def norm(self, name: str) -> LayerNorm:
        """A LayerNorm; checkpoints of TensorFlow times call its parts gamma and beta."""
        old = self._prefix + name + ".gamma" in self._checkpoint
        scale, shift = (".gamma", ".beta") if old else (".weight", ".bias")
        h = self.config.hidden_size
        return LayerNorm(weight=self(name + scale, h), bias=self(name + shift, h))

    def token_types(self) -> Float32Array:
        """[types, H]."""
        types = _sizes(self._checkpoint.config)("type_vocab_size", 1 << 10)
        return self("embeddings.token_type_embeddings.weight", types, self.config.hidden_size)


def _sizes(config: Any) -> Callable[[str, int], int]:  # noqa: ANN401
    def size(field: str, most: int) -> int:
        value = config.get(field, 2 if field == "type_vocab_size" else None)
        if type(value) is not int or not 1 <= value <= most:
            raise CheckpointError(f"config.json {field}: expected an integer within 1..{most}, got {str(value)[:40]!r}")
        return value

    return size
