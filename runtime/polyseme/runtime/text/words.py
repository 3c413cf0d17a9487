"""The only owner of regex: a text's words by Unicode's default word boundaries (UAX #29), and words found in it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from typing import Final

import regex

# One segment of UAX #29, rule by rule: regex's own `\b` under WORD never breaks after a lone regional indicator, joins
# a mark at the start of a line to the letter after it, and takes 12 s for 65,536 flags. Nothing here backtracks far:
# quantifiers are possessive, and what a lookahead passes over is passed over once more at most.
_X = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"  # WB4: these stay with what they follow
_LETTER: Final = r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]"
_MID_LETTER: Final = rf"[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}'] {_X} (?={_LETTER})"  # WB6, 7
_LETTERS: Final = rf"\p{{WB=ALetter}}++ {_X} (?: {_MID_LETTER} )?+"  # WB5
_HEBREW: Final = (
    rf"\p{{WB=Hebrew_Letter}}++ {_X} (?: {_MID_LETTER} | \" {_X} (?=\p{{WB=Hebrew_Letter}}) | (?!') )"  # 7b, 7c
)
_HEBREW_QUOTE: Final = rf"\p{{WB=Hebrew_Letter}}++ {_X} ' {_X}"  # WB7a
_MID_NUMBER: Final = rf"[\p{{WB=MidNum}}\p{{WB=MidNumLet}}'] {_X} (?=\p{{WB=Numeric}})"  # WB11, 12
_DIGITS: Final = rf"\p{{WB=Numeric}}++ {_X} (?: {_MID_NUMBER} )?+"  # WB8
_ALPHANUMERIC: Final = rf"(?: {_LETTERS} | {_HEBREW} | {_DIGITS} )++"  # WB9, 10
_KATAKANA: Final = rf"(?: \p{{WB=Katakana}} {_X} )++"  # WB13
# WB13a, 13b, but for U+202F: it ties a suffix to a Mongolian word, and in French stands beside words, as in `banque !`.
# So it connects Mongolian letters, and digits (10 000), and elsewhere is white space.
_MONGOLIAN: Final = r"[\p{Script=Mongolian}\u180b-\u180f]"
_NARROW_SPACE: Final = (
    rf"(?: (?<=\p{{WB=Numeric}}) \u202f (?=\p{{WB=Numeric}}) | (?<={_MONGOLIAN}) \u202f (?={_MONGOLIAN}) )"
)
_CONNECTORS: Final = rf"(?: (?: (?!\u202f) \p{{WB=ExtendNumLet}} | {_NARROW_SPACE} ) {_X} )"
_WORD: Final = rf"""
    (?!\u202f) (?=[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}\p{{WB=Numeric}}\p{{WB=Katakana}}\p{{WB=ExtendNumLet}}])
    {_CONNECTORS}*+ (?: (?: {_ALPHANUMERIC} | {_KATAKANA} ) {_CONNECTORS}++ )*+
    (?: (?: {_ALPHANUMERIC} )?+ {_HEBREW_QUOTE} | {_ALPHANUMERIC} | {_KATAKANA} )?+
"""
_FLAG: Final = rf"\p{{WB=Regional_Indicator}} {_X} (?: \p{{WB=Regional_Indicator}} {_X} )?+"  # WB15, 16
_SPACES: Final = rf"\p{{WB=WSegSpace}}++ {_X}"  # WB3d
_OTHER: Final = rf"[^\r\n\p{{WB=Newline}}] {_X}"
_PART: Final = rf"(?: {_WORD} | {_FLAG} | {_SPACES} | {_OTHER} )"
_SEGMENT: Final = regex.compile(
    rf"""
      \r\n | [\r\n\p{{WB=Newline}}]
    | {_PART} (?: (?<=\p{{WB=ZWJ}}) (?=\p{{Extended_Pictographic}}) {_PART} )*+
    """,
    regex.VERBOSE,
)
_BORDER: Final = "\ud800"  # in no text: texts are without lone surrogates


def words(text: str) -> Iterator[tuple[int, int]]:
    """Find the words of a text: (start, end) in code points, from the left.

    A word lies between two neighbouring boundaries and has a letter or a digit (`str.isalnum`): white space,
    punctuation, symbols and emoji are no words.
    """
    for match in _SEGMENT.finditer(text):
        if any(map(str.isalnum, match.group())):
            yield match.span()


def find(text: str, word: str, *, partial_word: bool = False, ignore_case: bool = False) -> list[tuple[int, int]]:
    """Give all matches of `WordFinder.find`."""
    return list(WordFinder(text).find(word, partial_word=partial_word, ignore_case=ignore_case))


class WordFinder:
    """Finds words in one text; what a search has prepared, the next one uses."""

    def __init__(self, text: str) -> None:
        """Take a text; tables are made when they are needed.

        Args:
            text: the text to search; without lone surrogates.
        """
        self._text = text

    def find(self, word: str, *, partial_word: bool = False, ignore_case: bool = False) -> Iterator[tuple[int, int]]:
        """Find a word or phrase, from the left, without overlaps: (start, end) in code points.

        Args:
            word: the word or phrase; not empty, without lone surrogates.
            partial_word: whether a match may begin or end inside a word; else both ends lie on word boundaries.
            ignore_case: whether to compare by full case folding: "STRASSE" finds "straße". A match with a part of a
                letter that folds to several takes the letter.

        Raises:
            ValueError: the word is empty.
        """
        if not word:
            raise ValueError("the word is empty")
        if not partial_word:
            return self._whole(word, ignore_case=ignore_case)
        return self._folded_part(word.casefold()) if ignore_case else _occurrences(self._text, word)

    def _whole(self, word: str, *, ignore_case: bool) -> Iterator[tuple[int, int]]:
        """Search among segments: the part between two boundaries has, taken alone, the boundaries that it has here."""
        text, wanted = self._bordered, _bordered(_segments(word))
        if ignore_case:
            text, wanted = self._folded_bordered, wanted.casefold()
        count = wanted.count(_BORDER) // 2
        first = before = 0
        for start, _ in _occurrences(text, wanted):
            first += text.count(_BORDER, before, start) // 2
            before = start
            yield self._boundaries[first], self._boundaries[first + count]

    def _folded_part(self, word: str) -> Iterator[tuple[int, int]]:
        text, starts = self._folded
        if starts is None:
            yield from _occurrences(text, word)
            return
        at = text.find(word)
        while at >= 0:
            start, end = bisect_right(starts, at) - 1, bisect_left(starts, at + len(word))
            yield start, end
            at = text.find(word, starts[end])

    @cached_property
    def _segments(self) -> list[str]:
        return _segments(self._text)

    @cached_property
    def _boundaries(self) -> list[int]:
        return [0, *accumulate(map(len, self._segments))]

    @cached_property
    def _bordered(self) -> str:
        return _bordered(self._segments)

    @cached_property
    def _folded_bordered(self) -> str:
        return self._bordered.casefold()

    @cached_property
    def _folded(self) -> tuple[str, list[int] | None]:
        """The folded text, and where in it each letter starts unless every letter folds to one."""
        folded = self._text.casefold()
        if len(folded) == len(self._text):
            return folded, None
        return folded, [0, *accumulate(len(letter.casefold()) for letter in self._text)]


def _segments(text: str) -> list[str]:
    found: list[str] = _SEGMENT.findall(text)
    return found


def _bordered(segments: list[str]) -> str:
    return _BORDER + (_BORDER * 2).join(segments) + _BORDER


def _occurrences(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        yield start, end
        start = text.find(wanted, end)
