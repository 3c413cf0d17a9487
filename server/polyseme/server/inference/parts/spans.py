"""Finds the tokens of words and spans in their text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Final

from polyseme.runtime.text.offsets import OffsetError, OffsetTable, OffsetUnit, Overlaps
from polyseme.runtime.text.tokenizer import TokenizedText
from polyseme.runtime.text.words import WordFinder, words
from polyseme.server.errors import FieldPath, InvalidInputError

MAX_WORD_BYTES: Final = 1024  # most bytes of WordQuery.text, in UTF-8
_SPACES: Final = "\u2581\u0120"  # the space before a word, as SentencePiece and byte-level vocabularies spell it


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanQuery:
    """A part of a text, named by its offsets.

    Attributes:
        start: where it starts, in the unit of the request.
        end: where it ends (exclusive), in the unit of the request.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WordQuery:
    """A word or phrase of a text, named by its letters.

    Attributes:
        text: the word or phrase.
        occurrence: the occurrence that is meant, from 1; 0: all of them.
        partial_word: whether it may lie inside a word.
        ignore_case: whether case is ignored.
    """

    text: str
    occurrence: int = 0
    partial_word: bool = False
    ignore_case: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedSpan:
    """A part of a text and its tokens.

    Attributes:
        start: where it starts, in code points.
        end: where it ends (exclusive), in code points.
        tokens: indices into the model's input, special tokens counted; at least one.
        query: the query that it answers: an index into spans followed by words; without queries, the index of the word.
        occurrence: the occurrence of the word, from 1; 0 for spans and where no word was asked for.
        truncated: whether truncation cut off a part of it.
    """

    start: int
    end: int
    tokens: Sequence[int]
    query: int
    occurrence: int
    truncated: bool


def locate(
    text: str,
    tokens: TokenizedText,
    *,
    spans: Sequence[SpanQuery],
    words: Sequence[WordQuery],
    unit: OffsetUnit,
    limit: int,
    at: FieldPath,
) -> list[LocatedSpan]:
    """Find the tokens of spans and words; where neither are asked for, those of every word.

    A word, or an occurrence, is left out where the model sees none of its tokens, if every word or all occurrences
    were asked for; `query` and `occurrence` count it nevertheless. A word is refused if the model sees none of its
    occurrences.

    Args:
        text: the text.
        tokens: the tokens that the model sees of it.
        spans: the spans asked for.
        words: the words asked for.
        unit: the unit of the offsets of spans.
        limit: most spans, asked for or found.
        at: the place of the text in the request.

    Raises:
        InvalidInputError: a span lies outside of the text, a word is not in the text, the model sees no token of one,
            or there are too many.
    """
    if len(spans) + len(words) > limit:
        raise InvalidInputError(f" asks for {len(spans) + len(words)} spans and words; limit {limit}", at)
    locator = _Locator(text, tokens, unit)
    found = locator.queries(spans, words, at) if spans or words else locator.every_word()
    located = list(islice(found, limit + 1))
    if len(located) > limit:
        raise InvalidInputError(f" has more than {limit} spans to embed, which is the limit", at)
    return located


def locate_one(
    text: str, tokens: TokenizedText, part: SpanQuery | WordQuery, *, unit: OffsetUnit, at: FieldPath
) -> LocatedSpan:
    """Find the tokens of one span, or of one word. The word must occur once, unless the query names the occurrence.

    Raises:
        InvalidInputError: as `locate`, and where the word occurs more than once.
    """
    locator = _Locator(text, tokens, unit)
    if isinstance(part, SpanQuery):
        return locator.span(part, query=0, at=(*at, "span"))
    return locator.only_word(part, at=(*at, "word"))


class _Locator:
    """Finds the tokens of parts of one text; tables that one part has needed serve the next."""

    def __init__(self, text: str, tokens: TokenizedText, unit: OffsetUnit) -> None:
        self._text = text
        self._tokens = tokens
        self._unit = unit
        self._finder = WordFinder(text)
        self._kept = Overlaps(tokens.offsets)

    def queries(self, spans: Sequence[SpanQuery], words: Sequence[WordQuery], at: FieldPath) -> Iterator[LocatedSpan]:
        for i, span in enumerate(spans):
            yield self.span(span, query=i, at=(*at, "spans", i))
        for i, word in enumerate(words):
            yield from self.word(word, query=len(spans) + i, at=(*at, "words", i))

    def span(self, span: SpanQuery, *, query: int, at: FieldPath) -> LocatedSpan:
        start, end = self._code_points("start", span.start, at), self._code_points("end", span.end, at)
        if start >= end:
            raise InvalidInputError(f": start {span.start} >= end {span.end}; a span is not empty", at)
        located = self._locate(start, end, query=query, occurrence=0)
        if located is None:
            raise InvalidInputError(f": {self._why_unseen(start, end)}", at)
        return located

    def word(self, word: WordQuery, *, query: int, at: FieldPath) -> Iterator[LocatedSpan]:
        count, seen, unseen = 0, False, None
        for count, part in enumerate(self._find(word, at), 1):
            if count >= word.occurrence:
                if located := self._locate(*part, query=query, occurrence=count):
                    seen = True
                    yield located
                else:
                    unseen = unseen or part
                if word.occurrence:
                    break
        if not seen:
            raise InvalidInputError(f": {self._why_unseen(*unseen) if unseen else self._why_unfound(word, count)}", at)

    def only_word(self, word: WordQuery, *, at: FieldPath) -> LocatedSpan:
        if not word.occurrence and (times := sum(1 for _ in self._find(word, at))) > 1:
            raise InvalidInputError(f": occurs {times} times; occurrence says which", at)
        return next(self.word(word, query=0, at=at))

    def every_word(self) -> Iterator[LocatedSpan]:
        for i, (start, end) in enumerate(words(self._text)):
            if located := self._locate(start, end, query=i, occurrence=0):
                yield located

    def _find(self, word: WordQuery, at: FieldPath) -> Iterator[tuple[int, int]]:
        size = len(word.text.encode())
        if not 1 <= size <= MAX_WORD_BYTES:
            raise InvalidInputError(f": text has {size} bytes of UTF-8; at least 1, at most {MAX_WORD_BYTES}", at)
        return self._finder.find(word.text, partial_word=word.partial_word, ignore_case=word.ignore_case)

    def _locate(self, start: int, end: int, *, query: int, occurrence: int) -> LocatedSpan | None:
        truncated = self._is_cut(start, end)
        overlapping = self._kept.over(start, end)
        tokens = [i for i in overlapping if not self._is_put_before(i)] or ([] if truncated else overlapping)
        if not tokens:
            return None
        return LocatedSpan(start=start, end=end, tokens=tokens, query=query, occurrence=occurrence, truncated=truncated)

    def _is_put_before(self, token: int) -> bool:
        """Tell whether the tokenizer put this token before a word, as a space that the text has not.

        It has the offsets of the word's first letter, and is of no word: where the text has a space, the
        token of it lies outside of the word.
        """
        spelled = self._tokens.tokens[token]
        if spelled.strip(_SPACES):
            return False
        letters = self._text[slice(*self._tokens.offsets[token])]
        return spelled != letters and any(letter.isprintable() and not letter.isspace() for letter in letters)

    def _is_cut(self, start: int, end: int) -> bool:
        return bool(self._tokens.cut_offsets) and self._cut.any_over(start, end)

    def _why_unseen(self, start: int, end: int) -> str:
        if self._is_cut(start, end):
            kept, of = len(self._tokens.ids), self._tokens.original_tokens
            return f"lies beyond the truncation (tokens {kept} of {of} are kept)"
        return "covers no token"

    def _why_unfound(self, word: WordQuery, count: int) -> str:
        if count:
            return f"occurrence {word.occurrence}: occurs {count} time{'s' * (count > 1)}"
        loosened = (
            (" in this case; ignore_case finds it", replace(word, ignore_case=True)),
            (" as a whole word; partial_word finds it", replace(word, partial_word=True)),
            ("; ignore_case and partial_word find it", replace(word, ignore_case=True, partial_word=True)),
        )
        for hint, wider in loosened:
            if next(self._find(wider, ()), None):
                return f"not found{hint}"
        return "not found"

    def _code_points(self, name: str, offset: int, at: FieldPath) -> int:
        try:
            return self._table.to_code_points(offset)
        except OffsetError as error:
            raise InvalidInputError(f": {name} {error}", at) from error

    @cached_property
    def _table(self) -> OffsetTable:
        return OffsetTable(self._text, self._unit)

    @cached_property
    def _cut(self) -> Overlaps:
        return Overlaps(self._tokens.cut_offsets)
