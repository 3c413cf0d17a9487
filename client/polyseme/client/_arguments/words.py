"""Check words and spans, and convert them for the contract; no error repeats a part of a text."""

from __future__ import annotations

from typing import Any, Final

from polyseme.client._arguments.integers import unsigned
from polyseme.client._arguments.texts import is_several, utf8_size
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.words import Word
from polyseme.v1 import common_pb2

_MAX_WORD_BYTES: Final = 1024  # WordQuery.text


def word_query(word: object, name: str) -> common_pb2.WordQuery:
    """Check a word and convert it.

    Raises:
        InvalidArgumentError: it is no str or Word, is too long, or has an invalid option.
    """
    if isinstance(word, str):
        word = Word(word)
    if not isinstance(word, Word):
        raise InvalidArgumentError(f"{name} must be a str or a Word, got {type(word).__name__}", field=name)
    size = utf8_size(word.text, name)
    if not 1 <= size <= _MAX_WORD_BYTES:
        raise InvalidArgumentError(f"{name} has {size} bytes of UTF-8; 1 to {_MAX_WORD_BYTES} are valid", field=name)
    for option, value in (("partial_word", word.partial_word), ("ignore_case", word.ignore_case)):
        if not isinstance(value, bool):
            raise InvalidArgumentError(
                f"{name}: {option} must be a bool, got {type(value).__name__}", field=f"{name}.{option}"
            )
    return common_pb2.WordQuery(
        text=word.text,
        occurrence=unsigned(word.occurrence, f"{name}: occurrence"),
        partial_word=word.partial_word,
        ignore_case=word.ignore_case,
    )


def span_message(span: Any, name: str) -> common_pb2.Span:  # noqa: ANN401  any value is taken, and checked
    """Check a span and convert it.

    Raises:
        InvalidArgumentError: it is not (start, end) with 0 <= start < end.
    """
    pair = list(span) if is_several(span) and not isinstance(span, str | bytes) else []
    if len(pair) != 2:
        raise InvalidArgumentError(f"{name} must be (start, end), got {type(span).__name__}", field=name)
    start, end = unsigned(pair[0], f"{name}: start"), unsigned(pair[1], f"{name}: end")
    if not start < end:
        raise InvalidArgumentError(f"{name} is ({start}, {end}); the end must be greater than the start", field=name)
    return common_pb2.Span(start=start, end=end)


def word_queries(words: object) -> list[common_pb2.WordQuery]:
    """Convert the words that embed_words looks for; None: none.

    Raises:
        InvalidArgumentError: a word is invalid, or the sequence is empty.
    """
    if words is None:
        return []
    if isinstance(words, str | Word):
        return [word_query(words, "words")]
    queries = [word_query(word, f"words[{index}]") for index, word in enumerate(_listed(words, "words"))]
    if not queries:
        raise InvalidArgumentError("words is empty; leave it out to get every word of the text", field="words")
    return queries


def span_messages(spans: object, count: int, *, single: bool, needed: bool) -> list[list[common_pb2.Span]]:
    """Convert the spans of each of `count` texts.

    Args:
        spans: the spans of one text, or one sequence of spans for each text; None: none.
        count: number of texts.
        single: whether a single text was passed.
        needed: whether each text must have a span: without spans and words, a call means every word.

    Raises:
        InvalidArgumentError: a span is invalid, or there are not as many sequences as texts.
    """
    if spans is None:
        return [[] for _ in range(count)]
    listed = [spans] if single else _listed(spans, "spans")
    if len(listed) != count:
        raise InvalidArgumentError(
            f"spans has {len(listed)} entries for {count} texts; one sequence for each is needed", field="spans"
        )
    return [
        _spans_of_text(spans_of_text, "spans" if single else f"spans[{i}]", needed=needed)
        for i, spans_of_text in enumerate(listed)
    ]


def _spans_of_text(spans: object, name: str, *, needed: bool) -> list[common_pb2.Span]:
    messages = [span_message(span, f"{name}[{index}]") for index, span in enumerate(_listed(spans, name))]
    if needed and not messages:
        raise InvalidArgumentError(
            f"{name} is empty; a text without spans and words would give every word of it", field=name
        )
    return messages


def _listed(values: object, name: str) -> list[Any]:
    if isinstance(values, str | bytes | set | frozenset | dict) or not is_several(values):
        raise InvalidArgumentError(f"{name} must be a sequence, got {type(values).__name__}", field=name)
    return list(values)
