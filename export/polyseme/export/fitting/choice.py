"""Choose layer, pooling and penalty by cross-validation on the texts that are not held out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Pooling
from polyseme.export.fitting.classifier import (
    DEFAULT_PENALTY,
    PENALTIES,
    ClassWeight,
    Float64Array,
    IntArray,
    log_loss,
    trained,
)
from polyseme.export.fitting.vectors import POOLINGS, Float32Array

FOLDS: Final = 5
_SEED: Final = 20261128


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way to make the vector of a text, and how well it tells classes.

    Attributes:
        layer: 0 is the embedding layer, L the last.
        pooling: of the layer's token vectors.
        accuracy: share of texts whose class is found, each by a classifier trained on other folds.
        error: its standard error.
    """

    layer: int
    pooling: Pooling
    accuracy: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The best of all that was tried.

    Attributes:
        tried: every layer and pooling, in order.
        best: of these.
        penalty: the one whose chances fit best what came true.
        logits: [N, C], of each text by a classifier trained on other folds.
    """

    tried: tuple[Tried, ...]
    best: Tried
    penalty: float
    logits: Float64Array


def choose(
    vectors: Float32Array,
    labels: IntArray,
    *,
    class_weight: ClassWeight,
    groups: IntArray | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Choice:
    """Try every layer and pooling; of equals take the later layer. Then try penalties with that one.

    Args:
        vectors: [L + 1, P, N, H].
        labels: [N].
        class_weight: as scikit-learn has it.
        groups: [N], equal for texts that must be in one fold, as equal texts; None: there are none.
        progress: is told what is tried next.
    """
    folds = folds_of(labels, groups=groups)
    tried = []
    for layer in range(len(vectors)):
        progress(f"layer {layer}")
        for place, pooling in enumerate(POOLINGS):
            logits = cross_validated(vectors[layer, place], labels, folds, DEFAULT_PENALTY, class_weight)
            accuracy, error = accuracy_of(logits, labels)
            tried.append(Tried(layer=layer, pooling=pooling, accuracy=accuracy, error=error))
    best = max(tried, key=lambda each: (each.accuracy, each.layer, each.pooling is Pooling.MEAN))
    chosen = vectors[best.layer, POOLINGS.index(best.pooling)]
    progress("penalties")
    by_penalty = {each: cross_validated(chosen, labels, folds, each, class_weight) for each in PENALTIES}
    penalty = min(by_penalty, key=lambda each: log_loss(by_penalty[each], labels))
    return Choice(tried=tuple(tried), best=best, penalty=penalty, logits=by_penalty[penalty])


def folds_of(labels: IntArray, count: int = FOLDS, *, groups: IntArray | None = None) -> IntArray:
    """Deal texts into folds, [N]; each class is spread evenly. Give the same folds at every call.

    Args:
        labels: [N], of texts.
        count: folds.
        groups: [N], equal for texts that must be in one fold; None: each text is a group of its own.
    """
    if groups is not None:
        _, first, which = np.unique(groups, return_index=True, return_inverse=True)
        return folds_of(labels[first], count)[which.reshape(-1)]
    draw = np.random.default_rng(_SEED)
    folds = np.empty(len(labels), dtype=np.int64)
    for number in np.unique(labels):
        rows = draw.permutation(np.flatnonzero(labels == number))
        folds[rows] = (np.arange(len(rows)) + draw.integers(count)) % count
    return folds


def groups_of(texts: Sequence[Hashable]) -> IntArray:
    """Give texts that are equal the same number, [N]: that of the first of them."""
    firsts: dict[Hashable, int] = {}
    return np.array([firsts.setdefault(text, row) for row, text in enumerate(texts)], dtype=np.int64)


def cross_validated(
    vectors: npt.NDArray[np.float32],
    labels: IntArray,
    folds: IntArray,
    penalty: float,
    class_weight: ClassWeight,
    *,
    classes: int | None = None,
) -> Float64Array:
    """Give logits of each text or token, [N, H] to [N, C], by a classifier that was trained on the other folds.

    Of a class that is in one fold alone, they are -inf there. C is `classes`; None: as many as labels tell.
    """
    classes = int(labels.max()) + 1 if classes is None else classes
    logits = np.empty((len(labels), classes))
    for fold in np.unique(folds):
        test = folds == fold
        head = trained(vectors[~test], labels[~test], classes, penalty=penalty, class_weight=class_weight)
        logits[test] = head.logits(vectors[test])
    return logits


def accuracy_of(logits: Float64Array, labels: IntArray) -> tuple[float, float]:
    """Compute the share of [N, C] logits that find their class, and its standard error."""
    share = float((logits.argmax(axis=1) == labels).mean())
    return share, float(np.sqrt(share * (1 - share) / len(labels)))
