"""ModernBERT (Warner et al. 2024): rotary positions, gated feed-forward, most layers with attention in a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from polyseme.export.encoders.architectures.reading import Fields, Weights, integer, read_sizes
from polyseme.export.encoders.encoder import EncoderConfig
from polyseme.export.encoders.pre_norm import PreNormEncoder, PreNormLayer
from polyseme.export.encoders.reference import Float64Array, HiddenStates, attention, gelu, layer_norm
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import Checkpoint

_WORDS: Final = "embeddings.tok_embeddings.weight"
_MUST_BE: Final = {"attention_bias": False, "mlp_bias": False, "norm_bias": False}
_GLOBAL: Final = "full_attention"
_LOCAL: Final = "sliding_attention"


def read_config(checkpoint: Checkpoint) -> EncoderConfig:
    """Check config.json, and read the sizes.

    Raises:
        UnsupportedError, CheckpointError: as `Architecture`.
    """
    config = {**checkpoint.config, "layer_norm_eps": checkpoint.config.get("norm_eps", 1e-5)}
    sizes = read_sizes(config, Fields(hidden_act="hidden_activation"), layer_norm_eps=1e-5, must_be=_MUST_BE)
    if sizes.hidden_size // sizes.num_attention_heads % 2:
        raise CheckpointError("config.json: hidden_size over num_attention_heads is odd; rotary positions need pairs")
    _kinds(checkpoint.config, sizes.num_hidden_layers)
    for kind in (_GLOBAL, _LOCAL):
        _theta(checkpoint.config, kind)
    _window(checkpoint.config)
    return sizes


def left_out(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Name the weights that have no part in the encoder."""
    return _weights(checkpoint).left_out


def read_encoder(checkpoint: Checkpoint, config: EncoderConfig) -> PreNormEncoder:
    """Map the weights."""
    weights = _weights(checkpoint)
    kinds = _kinds(checkpoint.config, config.num_hidden_layers)
    encoder = PreNormEncoder(
        config=config,
        word_embeddings=weights(_WORDS, config.vocab_size, config.hidden_size),
        embedding_norm=weights("embeddings.norm.weight", config.hidden_size),
        layers=tuple(_layer(weights, config, number, kind) for number, kind in enumerate(kinds)),
        final_norm=weights("final_norm.weight", config.hidden_size),
        window=_window(checkpoint.config),
        thetas=(_theta(checkpoint.config, _GLOBAL), _theta(checkpoint.config, _LOCAL)),
    )
    weights.refuse_leftovers()
    return encoder


def _layer(weights: Weights, config: EncoderConfig, number: int, kind: str) -> PreNormLayer:
    h, i, at = config.hidden_size, config.intermediate_size, f"layers.{number}."
    query, key, value = np.split(weights(at + "attn.Wqkv.weight", 3 * h, h), 3)
    return PreNormLayer(
        attention_norm=weights(at + "attn_norm.weight", h) if number else None,
        query=query.T,
        key=key.T,
        value=value.T,
        attention=weights(at + "attn.Wo.weight", h, h).T,
        output_norm=weights(at + "mlp_norm.weight", h),
        intermediate=weights(at + "mlp.Wi.weight", 2 * i, h).T,
        output=weights(at + "mlp.Wo.weight", h, i).T,
        is_local=kind == _LOCAL,
    )


def reference(checkpoint: Checkpoint, config: EncoderConfig) -> HiddenStates:
    """Make the forward pass of ModernBertModel in float64, one text at a time, from the weights of the checkpoint."""
    weights, h, i = _weights(checkpoint), config.hidden_size, config.intermediate_size
    kinds, heads = _kinds(checkpoint.config, config.num_hidden_layers), config.num_attention_heads

    def double(name: str, *shape: int) -> Float64Array:
        return weights(name, *shape).astype(np.float64)

    def norm(xs: list[Float64Array], name: str) -> list[Float64Array]:
        scale = double(name, h)
        return [layer_norm(x, scale, np.zeros(h), config.layer_norm_eps) for x in xs]

    def attended(xs: list[Float64Array], at: str, kind: str) -> list[Float64Array]:
        joined, outer = double(at + "attn.Wqkv.weight", 3 * h, h).T, double(at + "attn.Wo.weight", h, h).T
        theta, window = _theta(checkpoint.config, kind), _window(checkpoint.config)
        contexts = []
        for x in xs:
            query, key, value = np.split(x @ joined, 3, axis=1)
            places = np.arange(len(x))
            far = np.abs(places - places[:, None]) > window
            bias = np.where(far, -np.inf, 0.0)[None] if kind == _LOCAL else None
            contexts.append(attention(_turned(query, heads, theta), _turned(key, heads, theta), value, heads, bias))
        return [context @ outer for context in contexts]

    def fed_forward(xs: list[Float64Array], at: str) -> list[Float64Array]:
        inner, outer = double(at + "mlp.Wi.weight", 2 * i, h).T, double(at + "mlp.Wo.weight", h, i).T
        halves = (np.split(x @ inner, 2, axis=1) for x in xs)
        return [(gelu(first) * gate) @ outer for first, gate in halves]

    def hidden_states(texts: list[list[int]]) -> Iterator[list[Float64Array]]:
        words = weights(_WORDS, config.vocab_size, h)
        xs = norm([words[ids].astype(np.float64) for ids in texts], "embeddings.norm.weight")
        del words
        yield xs
        for number, kind in enumerate(kinds):
            at = f"layers.{number}."
            normalized = norm(xs, at + "attn_norm.weight") if number else xs
            ys = _sums(xs, attended(normalized, at, kind))
            xs = _sums(ys, fed_forward(norm(ys, at + "mlp_norm.weight"), at))
            yield xs if number + 1 < len(kinds) else norm(xs, "final_norm.weight")

    return hidden_states


def _sums(xs: list[Float64Array], ys: list[Float64Array]) -> list[Float64Array]:
    return [x + y for x, y in zip(xs, ys, strict=True)]


def _turned(x: Float64Array, heads: int, theta: float) -> Float64Array:
    """Element j of each head's first half turned together with element j of its second, by the token's place."""
    length, hidden = x.shape
    first, second = np.split(x.reshape(length, heads, hidden // heads), 2, axis=2)
    half = first.shape[2]
    angles = np.arange(length)[:, None, None] / theta ** (np.arange(half) / half)
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=2).reshape(length, hidden)


def _weights(checkpoint: Checkpoint) -> Weights:
    return Weights(checkpoint, "model.", ("embeddings.", "layers.", "final_norm."), (), words=_WORDS)


def _kinds(config: Mapping[str, Any], layers: int) -> list[str]:
    """Read whether each layer is global or local: config.json says so layer by layer, or makes every n-th global."""
    kinds = config.get("layer_types")
    if kinds is None:
        every = integer(config, "global_attn_every_n_layers", 1 << 10, default=3)
        return [_LOCAL if number % every else _GLOBAL for number in range(layers)]
    if not isinstance(kinds, list) or len(kinds) != layers or not all(kind in (_GLOBAL, _LOCAL) for kind in kinds):
        raise UnsupportedError(f"config.json layer_types: expected {_GLOBAL} or {_LOCAL} for each of {layers} layers")
    return kinds


def _theta(config: Mapping[str, Any], kind: str) -> float:
    """Read the base of the angles: newer configurations have one for each kind of layer, older ones another name."""
    older, default = {_GLOBAL: ("global_rope_theta", 160_000.0), _LOCAL: ("local_rope_theta", 10_000.0)}[kind]
    if config.get("rope_scaling") is not None:
        raise UnsupportedError(f"config.json rope_scaling {ascii(config['rope_scaling'])[:60]} is not supported")
    newer = config.get("rope_parameters")
    told = newer.get(kind) if isinstance(newer, dict) else None
    told = told if isinstance(told, dict) else {}
    how = told.get("rope_type", told.get("type", "default"))
    if how != "default":
        raise UnsupportedError(f"config.json rope_type {str(how)[:40]!r} is not supported; default is")
    value = told.get("rope_theta", config.get(older))
    value = default if value is None else value
    if type(value) not in (int, float) or not 1 < value < 1e12:
        raise CheckpointError(f"config.json {older}: expected a number within 1..1e12, got {str(value)[:40]!r}")
    return float(value)


def _window(config: Mapping[str, Any]) -> int:
    """Read the number of tokens that a local layer sees to each side: half of config.json's local_attention."""
    half = integer(config, "local_attention", 1 << 17, default=128) // 2
    if config.get("sliding_window", half) != half:  # transformers takes it for another name of the half
        raise CheckpointError(
            f"config.json has sliding_window {ascii(config['sliding_window'])[:40]}, and half of "
            f"local_attention is {half}"
        )
    return half
