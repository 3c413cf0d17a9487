"""Fit labels of tokens: hold texts out, choose on the rest, measure on those held out, train on all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import HeadKind, Pooling
from polyseme.export.fitting.choice import cross_validated, folds_of, groups_of
from polyseme.export.fitting.classifier import (
    DEFAULT_PENALTY,
    PENALTIES,
    Classifier,
    ClassWeight,
    Float64Array,
    IntArray,
    best_temperature,
    calibration_error,
    log_loss,
    trained,
)
from polyseme.export.fitting.curve import Point, draws_of
from polyseme.export.fitting.tokens.scores import Score, counts_of, effects_of, f1_of, score_of
from polyseme.export.fitting.tokens.tokens import TaggedTexts
from polyseme.export.fitting.vectors import Float32Array

_PARTS: Final = 5  # one of which is held out
_UNSEEN: Final = -30.0  # logit of a label that no token had which a fold's classifier was trained on


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedLayer:
    """One layer, and how well its vectors of tokens tell labels.

    Attributes:
        layer: 0 is the embedding layer, L the last.
        score: of all entities, each text's found by a classifier that was trained on other folds.
    """

    layer: int
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedTokens:
    """A head that labels tokens, and how good it is.

    Attributes:
        classifier: trained on all texts, its chances calibrated.
        labels: of tokens.
        tried: every layer, on the texts not held out.
        layer: the best of these.
        penalty: the one whose chances fit best what came true.
        class_weight: as scikit-learn has it.
        temperature: by which the classifier's logits were divided.
        calibration: the expected calibration error of tokens on the texts held out, before and after.
        by_label: the score of each label of spans on the texts held out.
        whole: that of all.
        curve: F1 on the texts held out, by how many a classifier is trained on; the last is that of the choice.
        beyond: spans behind the end of what the model takes, which were left out.
    """

    classifier: Classifier
    labels: tuple[str, ...]
    tried: tuple[TriedLayer, ...]
    layer: int
    penalty: float
    class_weight: ClassWeight
    temperature: float
    calibration: tuple[float, float]
    by_label: dict[str, Score]
    whole: Score
    curve: tuple[Point, ...]
    beyond: int

    @property
    def kind(self) -> HeadKind:
        """Tell what the head predicts."""
        return HeadKind.TOKEN_CLASSIFICATION

    @property
    def pooling(self) -> Pooling | None:
        """Tell how token vectors become the one that the head takes: it takes each."""
        return None


def fit_tokens(
    texts: TaggedTexts,
    vectors: Float32Array,
    *,
    class_weight: ClassWeight = "none",
    progress: Callable[[str], None] = lambda _: None,
) -> FittedTokens:
    """Fit a linear head to the vectors of tokens.

    Args:
        texts: N texts of T tokens.
        vectors: [L + 1, T, H], as `vectors_of_tokens` gives them.
        class_weight: "balanced" weighs each label the same, however many tokens have it.
        progress: is told what is done next.
    """
    rarest = _rarest(texts)
    groups = groups_of([one.ids.tobytes() for one in texts.texts])
    parts = folds_of(rarest, _PARTS, groups=groups)
    known, asked = np.flatnonzero(parts != 0), np.flatnonzero(parts == 0)
    fold_of = np.full(len(texts), -1)
    fold_of[known] = folds_of(rarest[known], groups=groups[known])
    folds = texts.of_tokens(fold_of).astype(np.int64)
    train, labels, count = folds >= 0, texts.numbers, len(texts.labels)

    def validated(layer: int, penalty: float) -> Float64Array:
        return cross_validated(vectors[layer][train], labels[train], folds[train], penalty, class_weight, classes=count)

    tried = []
    for layer in range(len(vectors)):
        progress(f"layer {layer}")
        logits = np.empty((len(labels), count))
        logits[train] = validated(layer, DEFAULT_PENALTY)
        tried.append(TriedLayer(layer=layer, score=score_of(_counts(texts, known, logits).sum(axis=1))))
    best = max(tried, key=lambda each: (each.score.f1, each.layer)).layer
    progress("penalties")
    by_penalty = {each: np.maximum(validated(best, each), _UNSEEN) for each in PENALTIES}
    penalty = min(by_penalty, key=lambda each: log_loss(by_penalty[each], labels[train]))
    temperature = best_temperature(by_penalty[penalty], labels[train])

    def head(rows: npt.NDArray[np.int64]) -> Classifier:
        chosen = np.isin(texts.of_tokens(np.arange(len(texts))), rows)
        return trained(vectors[best][chosen], labels[chosen], count, penalty=penalty, class_weight=class_weight)

    progress("learning curve")
    points, counts = [], np.zeros(0, dtype=np.int64)
    logits = np.empty((len(labels), count))
    held_out = ~train
    for draws in draws_of(rarest[known]):
        counts = np.zeros((len(asked), len(texts.groups), 3), dtype=np.int64)
        for rows in draws:
            logits[held_out] = head(known[rows]).logits(vectors[best][held_out])
            counts += _counts(texts, asked, logits)
        of_texts = counts.sum(axis=1)
        points.append(Point(rows=len(draws[0]), score=f1_of(of_texts), effects=effects_of(of_texts)))
    # The last point is of one draw, all that is known: its logits and counts are those of the choice.
    last = np.maximum(logits[held_out], _UNSEEN)
    return FittedTokens(
        classifier=head(np.arange(len(texts))).at(temperature),
        labels=texts.labels,
        tried=tuple(tried),
        layer=best,
        penalty=penalty,
        class_weight=class_weight,
        temperature=temperature,
        calibration=(
            calibration_error(last, labels[held_out]),
            calibration_error(last / temperature, labels[held_out]),
        ),
        by_label={group: score_of(counts[:, number]) for number, group in enumerate(texts.groups)},
        whole=score_of(counts.sum(axis=1)),
        curve=tuple(points),
        beyond=texts.beyond,
    )


def _rarest(texts: TaggedTexts) -> IntArray:
    """Give of each text the label of its spans that fewest texts have; texts are dealt by it, those without one too."""
    groups = [{group for *_, group in one.gold} for one in texts.texts]
    counts = Counter(group for each in groups for group in each)
    numbers = {group: number for number, group in enumerate(texts.groups)}
    return np.array(
        [min(((counts[group], numbers[group]) for group in each), default=(0, len(numbers)))[1] for each in groups]
    )


def _counts(texts: TaggedTexts, rows: Sequence[int] | IntArray, logits: Float64Array) -> IntArray:
    """Count what [T, C] logits of all tokens find in some texts."""
    firsts = texts.firsts
    found = [texts.found(int(row), logits[firsts[row] : firsts[row + 1]]) for row in rows]
    return counts_of(found, [texts.texts[int(row)].gold for row in rows], texts.groups)
