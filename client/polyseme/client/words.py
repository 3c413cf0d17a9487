"""Words and parts of texts, as arguments of calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from polyseme.client.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Word:
    """A word or phrase to look for in a text.

    Attributes:
        text: 1 to 1,024 bytes of UTF-8.
        occurrence: number of the occurrence to take, from 1 at the start of the text. 0: all of them; as an operand of
            similarity: the only one.
        partial_word: whether to find the word inside others too; else both ends must be word boundaries (UAX #29).
        ignore_case: whether to ignore case, by full Unicode case folding.
    """

    text: str
    occurrence: int = 0
    partial_word: bool = False
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Mention:
    """A part of a text, as an operand of similarity: exactly one of word and span.

    Attributes:
        text: the whole text.
        word: a word in the text; a str must occur exactly once.
        span: (start, end) in the text, in the offset unit of the call; end is exclusive.

    Raises:
        InvalidArgumentError: both, or neither.
    """

    text: str
    word: str | Word | None = None
    span: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if (self.word is None) == (self.span is None):
            found = "neither" if self.word is None else "both"
            raise InvalidArgumentError(f"a Mention takes one of word and span, got {found}; a whole text is a str")


Operands: TypeAlias = str | Mention | Iterable[str | Mention]
"""Operands of similarity: one text or part of a text, or several."""
WordInText: TypeAlias = Mention | tuple[str, str | Word | tuple[int, int]]
"""A text, and a word or (start, end) of it."""
