"""Precision, recall and F1 of entities: found where start, end and label are those of a span. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyseme.export.fitting.tokens.tokens import Found

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The share of the spans of a label, or of all, that was found.

    Attributes:
        precision: share of what was found that is right; 0 where nothing was.
        recall: share of the spans that were found; 0 where there are none.
        f1: the harmonic mean of both.
        error: standard error of F1, the texts being the draws.
        spans: how many there are.
    """

    precision: float
    recall: float
    f1: float
    error: float
    spans: int


def counts_of(found: Sequence[Found], gold: Sequence[Found], labels: Sequence[str]) -> IntArray:
    """Count [M, G, 3] of M texts and G labels: found and right, found, spans."""
    counts = np.zeros((len(gold), len(labels), 3), dtype=np.int64)
    numbers = {label: number for number, label in enumerate(labels)}
    for text, (here, there) in enumerate(zip(found, gold, strict=True)):
        for place, spans in enumerate((here & there, here, there)):
            for *_, label in spans:
                counts[text, numbers[label], place] += 1
    return counts


def score_of(counts: IntArray) -> Score:
    """Score [M, 3] counts of texts."""
    right, found, spans = counts.sum(axis=0).tolist()
    effects = effects_of(counts)
    return Score(
        precision=right / found if found else 0.0,
        recall=right / spans if spans else 0.0,
        f1=f1_of(counts),
        error=float(np.std(effects, ddof=1) / np.sqrt(len(effects))),
        spans=spans,
    )


def f1_of(counts: IntArray) -> float:
    """F1 over [M, 3] counts of texts; 0 where there is nothing to find and nothing was found."""
    right, found, spans = counts.sum(axis=0).tolist()
    return 2 * right / (found + spans) if found + spans else 0.0


def effects_of(counts: IntArray) -> npt.NDArray[np.float64]:
    """Tell how much each of M texts moves their F1, [M]: its linear term, as F1 is a ratio of sums over texts."""
    right, size = 2.0 * counts[:, 0], (counts[:, 1] + counts[:, 2]).astype(np.float64)
    if not size.any():
        return np.zeros(len(counts))
    effects: npt.NDArray[np.float64] = (right - f1_of(counts) * size) / size.mean()
    return effects
