"""From vectors of a layer to logits, and to scores. Pure: numpy alone.

A head is a thousandth of its encoder's work. Beside the graphs it costs neither a session, nor a copy of their weights,
and no vector of a text changes by a bit where a model has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Activation, Artifact, DenseSpec, InvalidManifestError, PredictionHead, ScoreFunction
from polyseme.runtime.verification.reference_head import to_length_one

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedHead:
    """A head with its weights.

    Attributes:
        spec: as the manifest has it.
        weights: by the names of `PredictionHead.shapes`.
    """

    spec: PredictionHead
    weights: Mapping[str, Float32Array]

    def logits(self, vectors: Float32Array) -> Float32Array:
        """Vectors [N, H] of tokens, or of texts as `spec.pooling` makes them, to [N, C]."""
        spec = self.spec
        if spec.hidden is not None:
            vectors = self._dense("hidden", spec.hidden, vectors)
        if spec.norm_eps is not None:
            centered = vectors - vectors.mean(axis=-1, keepdims=True)
            variance = (centered**2).mean(axis=-1, keepdims=True)
            vectors = centered / np.sqrt(variance + np.float32(spec.norm_eps)) * self.weights["norm.weight"]
        return self._dense("output", spec.output, vectors)

    def scores(self, logits: Float32Array, function: ScoreFunction | None = None) -> Float32Array:
        """Logits [N, C] to scores [N, C]; None: by the head's own function."""
        return _SCORES[function or self.spec.scores](logits)

    def _dense(self, name: str, spec: DenseSpec, vectors: Float32Array) -> Float32Array:
        total = vectors @ self.weights[f"{name}.weight"]
        if spec.bias:
            total += self.weights[f"{name}.bias"]
        return _ACTIVATE[spec.activation](total)


def load_head(artifact: Artifact, name: str) -> LoadedHead:
    """One head of an artifact.

    Raises:
        InvalidManifestError: a weight is not finite.
    """
    weights = artifact.head_weights(name)
    for weight, values in weights.items():
        if not np.isfinite(values).all():
            raise InvalidManifestError(f"head {name}: {weight} has numbers that are not finite")
    return LoadedHead(spec=artifact.manifest.model.predictions[name], weights=weights)


def load_heads(artifact: Artifact) -> dict[str, LoadedHead]:
    """Every head of an artifact that predicts, by name.

    Raises:
        InvalidManifestError: a weight is not finite.
    """
    return {name: load_head(artifact, name) for name in artifact.manifest.model.predictions}


def softmax(logits: Float32Array) -> Float32Array:
    """Softmax along the last axis of [..., C]."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Float32Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _sigmoid(x: Float32Array) -> Float32Array:
    """By tanh, which overflows nowhere."""
    half = np.float32(0.5)
    result: Float32Array = half + half * np.tanh(half * x)
    return result


def _gelu(x: Float32Array) -> Float32Array:
    """X * Phi(x). Erf is off by 1.5e-7 at most: Abramowitz & Stegun 1964, 7.1.26."""
    y = np.abs(x) * np.float32(0.5**0.5)
    t = np.reciprocal(1 + np.float32(0.3275911) * y)
    series = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(coefficient)) * t
    half = np.float32(0.5)
    result: Float32Array = x * (half + np.copysign(half - half * series * np.exp(-y * y), x))
    return result


def _relu(x: Float32Array) -> Float32Array:
    return np.maximum(x, np.float32(0))


def _identity(x: Float32Array) -> Float32Array:
    return x


_ACTIVATE: Final[dict[Activation, Callable[[Float32Array], Float32Array]]] = {
    Activation.IDENTITY: _identity,
    Activation.TANH: np.tanh,
    Activation.GELU: _gelu,
    Activation.RELU: _relu,
    Activation.SIGMOID: _sigmoid,
    Activation.UNIT: to_length_one,
}
_SCORES: Final[dict[ScoreFunction, Callable[[Float32Array], Float32Array]]] = {
    ScoreFunction.SOFTMAX: softmax,
    ScoreFunction.SIGMOID: _sigmoid,
    ScoreFunction.IDENTITY: _identity,
}
