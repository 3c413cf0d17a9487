"""A linear classifier: logistic regression on vectors that are shifted and scaled, as one matrix and one bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ClassWeight = Literal["none", "balanced"]
PENALTIES: Final = (0.001, 0.01, 0.1, 1.0)
"""Values of scikit-learn's C that are tried: the greater, the freer the weights."""
DEFAULT_PENALTY: Final = 0.01
_STEPS: Final = 1_000
_TEMPERATURES: Final = np.geomspace(0.25, 4, 81)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """logits = x weights + bias.

    Attributes:
        weights: [H, C].
        bias: [C].
    """

    weights: Float64Array
    bias: Float64Array

    def logits(self, vectors: npt.NDArray[np.floating]) -> Float64Array:
        """Compute [N, C] from vectors [N, H]."""
        result: Float64Array = vectors @ self.weights + self.bias
        return result

    def at(self, temperature: float) -> Classifier:
        """Give a classifier of the same classes, whose chances are flatter (above 1) or steeper."""
        return Classifier(weights=self.weights / temperature, bias=self.bias / temperature)


def trained(
    vectors: npt.NDArray[np.floating], labels: IntArray, classes: int, *, penalty: float, class_weight: ClassWeight
) -> Classifier:
    """Train on [N, H] vectors and [N] labels; shift and scale end up in weights and bias.

    Two classes get a logit each, half of scikit-learn's one for either, so that softmax gives the same chances.
    """
    from sklearn.linear_model import LogisticRegression

    x = vectors.astype(np.float64)
    mean = x.mean(axis=0)
    scale = float(np.sqrt(((x - mean) ** 2).mean())) or 1.0
    weight = None if class_weight == "none" else class_weight
    model: Any = LogisticRegression(C=penalty, max_iter=_STEPS, class_weight=weight)
    model.fit((x - mean) / scale, labels)
    rows, intercepts = model.coef_, model.intercept_
    if len(rows) == 1:
        rows, intercepts = np.vstack([-rows, rows]) / 2, np.concatenate([-intercepts, intercepts]) / 2
    weights, bias = np.zeros((x.shape[1], classes)), np.full(classes, -np.inf)
    weights[:, model.classes_] = rows.T / scale
    bias[model.classes_] = intercepts - mean @ (rows.T / scale)
    return Classifier(weights=weights, bias=bias)


def chances(logits: Float64Array) -> Float64Array:
    """Compute the softmax of each row of [N, C]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Float64Array = powers / powers.sum(axis=1, keepdims=True)
    return result


def best_temperature(logits: Float64Array, labels: IntArray) -> float:
    """Find the temperature with which [N, C] logits fit best what came true: Guo et al. 2017, section 4.2."""
    losses = [log_loss(logits / temperature, labels) for temperature in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def log_loss(logits: Float64Array, labels: IntArray) -> float:
    """Average -log of the chance that [N, C] logits give the right class."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    right = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(axis=1)) - right).mean())


def calibration_error(logits: Float64Array, labels: IntArray, bins: int = 10) -> float:
    """Compute the expected calibration error of [N, C] logits: how far chances are from how often they are right."""
    given = chances(logits)
    sure, right = given.max(axis=1), given.argmax(axis=1) == labels
    places = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(float((sure - right)[places == place].sum())) for place in range(bins)]
    return sum(gaps) / len(labels)
