"""Predictions of the heads of a model: small immutable values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyseme.client.results import TextInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class InputInfo(TextInfo):
    """Token counts of one text or pair.

    Attributes:
        windows: in how many parts it was run; 1 where it was not in parts.
    """

    windows: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classification:
    """Scores of labels for one text or pair.

    Attributes:
        labels: of the head, C of them.
        scores: [C] float32, in the order of labels.
        info: token counts, and whether it was cut or run in windows.
    """

    labels: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    info: InputInfo

    @property
    def label(self) -> str:
        """The label of the highest score."""
        return self.labels[int(self.scores.argmax())]

    @property
    def score(self) -> float:
        """The highest score."""
        return float(self.scores.max())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A part of a text, and what it is.

    Attributes:
        text: of the span.
        start: where it begins, in the offset unit asked for.
        end: where it ends, exclusive.
        label: of the head; of several tokens that of the first: "B-PER".
        group: its kind, without the prefix of a scheme: "PER".
        score: of the label.
        tokens: indices into the whole text's tokens, special tokens counted.
    """

    text: str
    start: int
    end: int
    label: str
    group: str
    score: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedText:
    """The entities of one text.

    Attributes:
        entities: in the order of the text.
        info: token counts, and whether it was cut or run in windows.
    """

    entities: tuple[Entity, ...]
    info: InputInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A part of a context that answers a question.

    Attributes:
        text: of the span.
        start: where it begins, in the offset unit asked for.
        end: where it ends, exclusive.
        score: how sure it is, 0 to 1.
        tokens: indices into the tokens of question and context together, special tokens counted.
    """

    text: str
    start: int
    end: int
    score: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answers to one question.

    Attributes:
        answers: the best first; may be empty.
        none_score: the score of there being no answer.
        info: token counts of question and context, and whether they were cut or run in windows.
    """

    answers: tuple[Answer, ...]
    none_score: float
    info: InputInfo

    @property
    def best(self) -> Answer | None:
        """The best answer; None where there is none."""
        return self.answers[0] if self.answers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A text in its place.

    Attributes:
        index: of the text, as it was passed.
        text: itself.
        score: how well it fits the query.
        info: token counts of query and text, and whether they were cut or run in windows.
    """

    index: int
    text: str
    score: float
    info: InputInfo
