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
        score: accuracy, or F1, on the texts held out; the mean over draws of the texts to train on.
        effects: [M], of each text held out on the score; their mean is 0.
    """

    rows: int
    score: float
    effects: npt.NDArray[np.float64]

    @classmethod
    def of_hits(cls, rows: int, hits: npt.NDArray[np.bool_]) -> Point:
        """Make a point of accuracy from [draws, M]: whether each of the texts held out gets its class."""
        of_texts = hits.mean(axis=0)
        return cls(rows=rows, score=float(of_texts.mean()), effects=of_texts - of_texts.mean())

    @property
    def error(self) -> float:
        """Standard error of the score, the texts held out being the draws."""
        return _error(self.effects)


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
    for draws in draws_of(labels):
        hits = []
        for rows in draws:
            head = trained(vectors[rows], labels[rows], classes, penalty=penalty, class_weight=class_weight)
            hits.append(head.logits(held_out[0]).argmax(axis=1) == held_out[1])
        points.append(Point.of_hits(len(draws[0]), np.array(hits)))
    return tuple(points)


def draws_of(labels: IntArray) -> list[list[IntArray]]:
    """Draw a sixteenth, an eighth, a quarter, a half of texts of [N] labels, several times each, and all; give indices.

    Each class keeps its share, or two texts. Of few texts several parts are as small as can be: these are drawn once.
    """
    draws = {}
    for halving in range(_HALVINGS, -1, -1):
        each = [_drawn(labels, 2**halving, seed) for seed in range(_DRAWS if halving else 1)]
        draws[len(each[0])] = each
    return list(draws.values())


def verdict(points: tuple[Point, ...], measure: str = "accuracy") -> str:
    """Say in one sentence whether more texts would pay, by what the last doubling gave."""
    before, now = points[-2:]
    gain, error = now.score - before.score, _error(now.effects - before.effects)
    said = f"From {before.rows} to {now.rows} rows {measure} changed by {gain:+.3f} ± {error:.3f}"
    if gain > 2 * error:
        return f"{said}: more rows of this kind would pay."
    if gain + 2 * error < WORTH:
        return f"{said}: more rows of this kind would hardly pay."
    return f"{said}: {len(now.effects)} held-out rows cannot tell whether more would pay."


def _drawn(labels: IntArray, part: int, seed: int) -> IntArray:
    """Draw one of `part` texts of each class, at least two of each; give their indices."""
    draw = np.random.default_rng((_SEED, part, seed))
    each = [draw.permutation(np.flatnonzero(labels == number)) for number in np.unique(labels)]
    return np.sort(np.concatenate([rows[: max(len(rows) // part, 2)] for rows in each]))


def _error(values: npt.NDArray[np.floating]) -> float:
    """Compute the standard error of the mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))
