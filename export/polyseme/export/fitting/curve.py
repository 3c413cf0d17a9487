"""Accuracy by how many texts a classifier is trained on, and whether more would pay. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.export.fitting.classifier import ClassWeight, IntArray, trained
from polyseme.export.fitting.vectors import Float32Array

WORTH: Final = 0.02
"""The gain of a doubling below which more rows would hardly pay."""
_HALVINGS: Final = 4
_DRAWS: Final = 5
_SEED: Final = 20261128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Point:
    """Classifiers that were trained on so many texts.

    Attributes:
        rows: texts that each is trained on.
        hits: [draws of these texts, M], whether each of the texts held out gets its class.
    """

    rows: int
    hits: npt.NDArray[np.bool_]

    @property
    def accuracy(self) -> float:
        """Mean over the draws."""
        return float(self.hits.mean())

    @property
    def error(self) -> float:
        """Standard error of the accuracy, the texts held out being the draws."""
        return _error(self.hits.mean(axis=0))


def learning_curve(
    vectors: Float32Array,
    labels: IntArray,
    held_out: tuple[Float32Array, IntArray],
    *,
    penalty: float,
    class_weight: ClassWeight,
) -> tuple[Point, ...]:
    """Train on a sixteenth, an eighth, a quarter, a half and all of the texts; each class keeps its share.

    Args:
        vectors: [N, H].
        labels: [N].
        held_out: vectors and labels on which accuracy is measured.
        penalty: as it was chosen.
        class_weight: as scikit-learn has it.
    """
    classes = int(labels.max()) + 1
    points = []
    for halving in range(_HALVINGS, -1, -1):
        hits = []
        for seed in range(_DRAWS if halving else 1):
            rows = _drawn(labels, 2**halving, seed)
            head = trained(vectors[rows], labels[rows], classes, penalty=penalty, class_weight=class_weight)
            hits.append(head.logits(held_out[0]).argmax(axis=1) == held_out[1])
        points.append(Point(rows=len(rows), hits=np.array(hits)))
    return tuple({point.rows: point for point in points}.values())  # of few texts several parts are as small as can be


def verdict(points: tuple[Point, ...]) -> str:
    """Say in one sentence whether more texts would pay, by what the last doubling gave."""
    before, now = points[-2:]
    gains = now.hits.mean(axis=0) - before.hits.mean(axis=0)
    gain, error = float(gains.mean()), _error(gains)
    said = f"From {before.rows} to {now.rows} rows accuracy changed by {gain:+.3f} ± {error:.3f}"
    if gain > 2 * error:
        return f"{said}: more rows of this kind would pay."
    if gain + 2 * error < WORTH:
        return f"{said}: more rows of this kind would hardly pay."
    return f"{said}: {len(gains)} held-out rows cannot tell whether more would pay."


def _drawn(labels: IntArray, part: int, seed: int) -> IntArray:
    """Draw one of `part` texts of each class, at least two of each; give their indices."""
    draw = np.random.default_rng((_SEED, part, seed))
    each = [draw.permutation(np.flatnonzero(labels == number)) for number in np.unique(labels)]
    return np.sort(np.concatenate([rows[: max(len(rows) // part, 2)] for rows in each]))


def _error(values: npt.NDArray[np.floating]) -> float:
    """Compute the standard error of the mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))
