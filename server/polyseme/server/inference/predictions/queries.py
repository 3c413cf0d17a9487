"""The questions that a caller may ask of heads, in the server's own values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from polyseme.artifact import ScoreFunction
from polyseme.runtime.heads.entities import Aggregation
from polyseme.runtime.text.inputs import Fit

TextInput: TypeAlias = tuple[str, str | None]
"""A text, or a pair of texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTexts:
    """The treatment of inputs that have too many tokens.

    Attributes:
        fit: cut, refused, or in parts.
        overlap: tokens that a window has in common with the one before it; None: a quarter of the model's limit.
    """

    fit: Fit = Fit.REFUSE
    overlap: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify:
    """Scores of labels.

    Attributes:
        texts: of texts alone; empty where there are pairs.
        pairs: of pairs of texts.
        head: its name; empty: the model's only one.
        long_texts: what becomes of inputs that are too long.
        scores: how logits become scores; None: as the head does.
    """

    texts: Sequence[str]
    pairs: Sequence[tuple[str, str]]
    head: str = ""
    long_texts: LongTexts = LongTexts()
    scores: ScoreFunction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagTokens:
    """Entities.

    Attributes:
        texts: at least one.
        aggregation: how labels of tokens become entities.
        head: as Classify has it; so long_texts.
    """

    texts: Sequence[str]
    aggregation: Aggregation = Aggregation.SIMPLE
    head: str = ""
    long_texts: LongTexts = LongTexts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Spans that answer questions.

    Attributes:
        questions: each with its context; at least one.
        max_answer_tokens: of an answer.
        top_k: answers to each question.
        may_have_none: whether answers that score less than none are left out.
        head: as Classify has it; so long_texts.
    """

    questions: Sequence[tuple[str, str]]
    max_answer_tokens: int = 15
    top_k: int = 1
    may_have_none: bool = False
    head: str = ""
    long_texts: LongTexts = LongTexts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerank:
    """The order of texts by a query.

    Attributes:
        query: not empty.
        texts: at least one.
        top_k: how many are wanted; None: all.
        head: as Classify has it; so long_texts and scores.
    """

    query: str
    texts: Sequence[str]
    top_k: int | None = None
    head: str = ""
    long_texts: LongTexts = LongTexts()
    scores: ScoreFunction | None = None
