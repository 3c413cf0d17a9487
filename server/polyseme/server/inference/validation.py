"""What a request may ask, checked before any work is done for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from polyseme.server.errors import FieldPath, InvalidInputError

PathOf: TypeAlias = Callable[[int], FieldPath]
"""Gives the place in the request of text i."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may ask for.

    Attributes:
        max_texts: texts.
        max_text_bytes: bytes of UTF-8 in one text.
        max_spans: spans and words of one text.
        max_reply_bytes: bytes of vectors and columns in one reply.
    """

    max_texts: int
    max_text_bytes: int
    max_spans: int
    max_reply_bytes: int


def in_texts(index: int) -> FieldPath:
    """Give the place of an entry of `texts`."""
    return "texts", index


def in_inputs(index: int) -> FieldPath:
    """Give the place of an entry of `inputs`."""
    return "inputs", index


def check_count(count: int, limits: Limits, field: str = "texts") -> None:
    """Refuse no texts, or too many, before anything is made of them.

    Raises:
        InvalidInputError: how many, the limit.
    """
    if not count:
        raise InvalidInputError(f" is empty; 1 to {limits.max_texts} are needed", (field,))
    if count > limits.max_texts:
        raise InvalidInputError(f" has {count} entries; limit {limits.max_texts}", (field,))


def check_texts(texts: Sequence[str], limits: Limits, path_of: PathOf) -> None:
    """Refuse a text that is too long.

    Args:
        texts: of one request.
        limits: of the server.
        path_of: where each stands in the request.

    Raises:
        InvalidInputError: which text, its size, the limit.
    """
    for index, text in enumerate(texts):
        # UTF-8 takes 1 to 4 bytes a character, so that most texts need not be encoded to know.
        if len(text) * 4 > limits.max_text_bytes and (size := len(text.encode())) > limits.max_text_bytes:
            raise InvalidInputError(f" has {size} bytes; limit {limits.max_text_bytes}", path_of(index))


def check_dimensions(dimensions: int, limit: int) -> None:
    """Refuse a length that the model's vectors do not have.

    Raises:
        InvalidInputError: got and limit.
    """
    if not 1 <= dimensions <= limit:
        raise InvalidInputError(f": got {dimensions}; limits 1..{limit}", ("dimensions",))


def check_reply_bytes(size: int, limits: Limits, advice: str = "ask for less") -> None:
    """Refuse a call whose reply would not fit a message, as soon as that is known.

    Raises:
        InvalidInputError: the size, and the limit.
    """
    if size > limits.max_reply_bytes:
        raise InvalidInputError(f"the reply would have {size} bytes or more; limit {limits.max_reply_bytes}: {advice}")
