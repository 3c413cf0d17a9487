"""From scores of tokens to the span that answers: as the QuestionAnsweringPipeline of transformers 4 found it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyseme.runtime.text.inputs import TokenizedInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the context.

    Attributes:
        score: how sure it is: the chance that it begins here times the chance that it ends here.
        tokens: by their places in the uncut input.
    """

    score: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answers of one window.

    Attributes:
        spans: the best first.
        none: the score of there being no answer.
    """

    spans: list[Span]
    none: float


def find_spans(
    tokens: TokenizedInput,
    places: Sequence[int],
    logits: npt.NDArray[np.float32],
    *,
    most_tokens: int,
    count: int,
) -> Found:
    """Find the best spans of one window.

    Args:
        tokens: question and context, uncut.
        places: of the window's tokens.
        logits: [T, 2] of the window's tokens: an answer begins here, ends here.
        most_tokens: of an answer.
        count: most spans.
    """
    context = np.array([tokens.texts[place] == 1 for place in places])
    seen = context.copy()
    seen[0] = True  # what an answer that begins and ends here means: there is none
    chances = _chances(logits.astype(np.float64), seen)
    none = float(chances[0, 0] * chances[0, 1])
    where = np.flatnonzero(context)
    if not len(where):
        return Found(spans=[], none=none)
    spans = [
        Span(score=score, tokens=tuple(places[i] for i in where[begin : end + 1].tolist()))
        for score, begin, end in _best(chances[where, 0], chances[where, 1], most_tokens, count)
    ]
    return Found(spans=spans, none=none)


def _best(
    begins: npt.NDArray[np.float64], ends: npt.NDArray[np.float64], most_tokens: int, count: int
) -> list[tuple[float, int, int]]:
    """Score, first and last token of the best spans; length by length, as all pairs at once would be [T, T]."""
    found: list[tuple[float, int, int]] = []
    for more in range(min(most_tokens, len(begins))):
        products = begins[: len(begins) - more] * ends[more:]
        best = np.argsort(-products, kind="stable")[:count].tolist()
        found += [(float(products[begin]), begin, begin + more) for begin in best]
    found.sort(key=lambda span: (-span[0], span[1:]))
    return found[:count]


def _chances(logits: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Softmax of each column over the tokens that are seen."""
    masked = np.where(seen[:, None], logits, -np.inf)
    powers = np.exp(masked - masked.max(axis=0))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=0)
    return shares
