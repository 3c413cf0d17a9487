"""Fit a head: hold texts out, choose on the rest, measure on those held out, train on all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import HeadKind, Pooling
from polyseme.export.fitting.choice import Choice, choose, folds_of, groups_of
from polyseme.export.fitting.classifier import (
    Classifier,
    ClassWeight,
    Float64Array,
    best_temperature,
    calibration_error,
    trained,
)
from polyseme.export.fitting.curve import Point, learning_curve
from polyseme.export.fitting.texts import LabelledTexts
from polyseme.export.fitting.vectors import POOLINGS, Float32Array

_PARTS: Final = 5  # one of which is held out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A head, and how good it is.

    Attributes:
        classifier: trained on all texts, its chances calibrated.
        classes: their names.
        choice: which layer, pooling and penalty, and what else was tried, on the texts not held out.
        class_weight: as scikit-learn has it.
        temperature: by which the classifier's logits were divided.
        calibration: the expected calibration error on the texts held out, before and after.
        confusion: [C, C] counts on the texts held out; rows: what it is, columns: what it is taken for.
        curve: accuracy on the texts held out, by how many a classifier is trained on; the last is that of the choice.
    """

    classifier: Classifier
    classes: tuple[str, ...]
    choice: Choice
    class_weight: ClassWeight
    temperature: float
    calibration: tuple[float, float]
    confusion: npt.NDArray[np.int64]
    curve: tuple[Point, ...]

    @property
    def kind(self) -> HeadKind:
        """Tell what the head predicts."""
        return HeadKind.CLASSIFICATION

    @property
    def labels(self) -> tuple[str, ...]:
        """Give the names of the classes."""
        return self.classes

    @property
    def layer(self) -> int:
        """Tell whose vectors the head takes."""
        return self.choice.best.layer

    @property
    def pooling(self) -> Pooling | None:
        """Tell how token vectors become the one that the head takes."""
        return self.choice.best.pooling

    def chosen(self, vectors: Float32Array) -> npt.NDArray[np.float32]:
        """Give the vectors that the head takes, [N, H], of [L + 1, P, N, H]."""
        chosen: npt.NDArray[np.float32] = vectors[self.layer, POOLINGS.index(self.choice.best.pooling)]
        return chosen


def fit(
    texts: LabelledTexts,
    vectors: Float32Array,
    *,
    class_weight: ClassWeight = "none",
    progress: Callable[[str], None] = lambda _: None,
) -> Fitted:
    """Fit a linear head to the vectors of labelled texts.

    Args:
        texts: N texts.
        vectors: [L + 1, P, N, H], as `vectors_of` gives them.
        class_weight: "balanced" weighs each class the same, however many rows it has.
        progress: is told what is done next.
    """
    labels, classes = texts.labels, len(texts.classes)
    groups = groups_of(texts.texts)
    held_out = folds_of(labels, _PARTS, groups=groups) == 0
    known, asked = labels[~held_out], labels[held_out]
    choice = choose(
        vectors[:, :, ~held_out], known, class_weight=class_weight, groups=groups[~held_out], progress=progress
    )
    chosen = vectors[choice.best.layer, POOLINGS.index(choice.best.pooling)]
    temperature = best_temperature(choice.logits, known)
    progress("learning curve")
    curve = learning_curve(
        chosen[~held_out], known, (chosen[held_out], asked), penalty=choice.penalty, class_weight=class_weight
    )
    judged = trained(chosen[~held_out], known, classes, penalty=choice.penalty, class_weight=class_weight)
    logits = judged.logits(chosen[held_out])
    whole = trained(chosen, labels, classes, penalty=choice.penalty, class_weight=class_weight)
    return Fitted(
        classifier=whole.at(temperature),
        classes=texts.classes,
        choice=choice,
        class_weight=class_weight,
        temperature=temperature,
        calibration=(calibration_error(logits, asked), calibration_error(logits / temperature, asked)),
        confusion=_confusion(logits, asked, classes),
        curve=curve,
    )


def _confusion(logits: Float64Array, labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    return counts
