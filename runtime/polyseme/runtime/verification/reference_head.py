"""Pooling and dense layers in numpy: export's reference and the self-check compare the graphs with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Activation, Pooling

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """A dense layer with its weights.

    Attributes:
        weight: [in, out].
        bias: [out]; None where it has none.
    """

    weight: Array
    bias: Array | None
    activation: Activation


def pool(tokens: Array, pooling: Pooling) -> Array:
    """Pool the vectors [T, H] of a text's tokens to one [H]."""
    return _POOL[pooling](tokens)


def apply_dense(vectors: Array, layers: Sequence[Dense]) -> Array:
    """Put vectors [N, H] through the layers, in the wider type of both: [N, D]."""
    for layer in layers:
        total = vectors @ layer.weight if layer.bias is None else vectors @ layer.weight + layer.bias
        vectors = _ACTIVATE[layer.activation](total)
    return vectors


def to_length_one(x: Array) -> Array:
    """Scale vectors [N, D] to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(x, axis=-1, keepdims=True)
    result: Array = np.divide(x, lengths, out=np.zeros_like(x), where=lengths != 0)
    return result


def _mean_sqrt_len(tokens: Array) -> Array:
    total: Array = tokens.sum(axis=0) / math.sqrt(len(tokens))
    return total


def _mean(tokens: Array) -> Array:
    mean: Array = tokens.mean(axis=0)
    return mean


def _max(tokens: Array) -> Array:
    largest: Array = tokens.max(axis=0)
    return largest


def _cls(tokens: Array) -> Array:
    first: Array = tokens[0]
    return first


def _last(tokens: Array) -> Array:
    last: Array = tokens[-1]
    return last


def _gelu(x: Array) -> Array:
    """Apply the exact gelu, with erf."""
    erf = np.array([math.erf(value / math.sqrt(2)) for value in x.ravel()]).reshape(x.shape)
    result: Array = x * 0.5 * (1 + erf)
    return result


def _identity(x: Array) -> Array:
    return x


def _relu(x: Array) -> Array:
    result: Array = np.maximum(x, 0)
    return result


def _sigmoid(x: Array) -> Array:
    result: Array = 0.5 * (1 + np.tanh(x / 2))
    return result


_POOL: Final[dict[Pooling, Callable[[Array], Array]]] = {
    Pooling.CLS: _cls,
    Pooling.MEAN: _mean,
    Pooling.MAX: _max,
    Pooling.MEAN_SQRT_LEN: _mean_sqrt_len,
    Pooling.LAST_TOKEN: _last,
}
_ACTIVATE: Final[dict[Activation, Callable[[Array], Array]]] = {
    Activation.IDENTITY: _identity,
    Activation.TANH: np.tanh,
    Activation.GELU: _gelu,
    Activation.RELU: _relu,
    Activation.SIGMOID: _sigmoid,
    Activation.UNIT: to_length_one,
}
