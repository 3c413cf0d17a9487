"""Find the passages of a document; no error repeats a part of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, TypeAlias

from polyseme.client._arguments.texts import is_several
from polyseme.client._arguments.words import span_message
from polyseme.client.errors import InvalidArgumentError

Span: TypeAlias = tuple[int, int]
Passages: TypeAlias = Iterable[str | Span]
"""Passages of a document: (start, end) in code points, or strings that stand in the document in this order."""
Splitter: TypeAlias = Callable[[str], Passages]
"""A function that splits a document into passages."""


def spans_of(document: str, passages: object, name: str) -> list[tuple[str, Span]]:
    """Give each passage's name for errors, and its (start, end) in code points, in the order passed.

    A string is looked for from the end of the passage before it on, then from the start of that, as passages of many
    splitters overlap. What a splitter gives that is white space, or empty, is left out.

    Args:
        document: the whole text.
        passages: `Passages`, or a `Splitter`.
        name: of the passages, for errors.

    Raises:
        InvalidArgumentError: passages are no iterable; a passage is neither a str nor (start, end), is not in the
            document, or has nothing but white space.
    """
    split = callable(passages)
    found: list[tuple[str, Span]] = []
    before = (0, 0)
    for index, passage in enumerate(listed(passages(document) if callable(passages) else passages, name)):
        each = f"{name}[{index}]"
        if isinstance(passage, str):
            if split and not passage.strip():
                continue
            start, end = _found(document, passage, before, each)
        else:
            message = span_message(passage, each)
            start, end = message.start, message.end
            if end > len(document):
                raise InvalidArgumentError(
                    f"{each} ends at {end}; the document has {len(document)} code points", field=each
                )
        if document[start:end].strip():
            before = (start, end)
            found.append((each, before))
        elif not split:
            raise InvalidArgumentError(f"{each} has nothing but white space", field=each)
    return found


def listed(passages: object, name: str) -> list[Any]:
    """Convert an ordered iterable to a list.

    Raises:
        InvalidArgumentError: they are none.
    """
    if isinstance(passages, str | bytes | Set | Mapping) or not is_several(passages):
        got = type(passages).__name__
        raise InvalidArgumentError(
            f"{name} must be a sequence of str or of (start, end), or a function that splits, got {got}", field=name
        )
    return list(passages)


def _found(document: str, passage: str, before: Span, name: str) -> Span:
    if not passage:
        raise InvalidArgumentError(f"{name} is empty", field=name)
    start = document.find(passage, before[1])
    if start < 0:
        start = document.find(passage, before[0])
    if start < 0:
        raise InvalidArgumentError(
            f"{name} is not in the document from code point {before[0]} on, where the passage before it starts; "
            "a splitter that changes the text can give (start, end) instead",
            field=name,
        )
    return start, start + len(passage)
