"""Checks of a query against the limits, before any work is done for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from polyseme.server.errors import FieldPath, InvalidInputError

PathOf: TypeAlias = Callable[[int], FieldPath]
"""Gives the place in the request of text i."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one call.

    Attributes:
        max_texts: most texts.
        max_text_bytes: most bytes of UTF-8 in one text.
        max_spans: most spans and words of one text.
        max_reply_bytes: most bytes of vectors and columns in one reply.
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
    """Refuse a list without texts, or with too many, before anything is made of them.

    Raises:
        InvalidInputError: the number of texts, and the limit.
    """
    if not count:
        raise InvalidInputError(f" is empty; 1 to {limits.max_texts} are needed", (field,))
    if count > limits.max_texts:
        raise InvalidInputError(f" has {count} entries; limit {limits.max_texts}", (field,))


def check_texts(texts: Sequence[str], limits: Limits, path_of: PathOf) -> None:
    """Refuse a text that is too long.

    Args:
        texts: the texts of one request.
        limits: the limits of the server.
        path_of: gives the place of a text in the request, by its index.

    Raises:
        InvalidInputError: the text that is too long, its bytes, the limit.
    """
    for index, text in enumerate(texts):
        # UTF-8 takes 1 to 4 bytes a character, so that most texts need not be encoded to know.
        if len(text) * 4 > limits.max_text_bytes and (size := len(text.encode())) > limits.max_text_bytes:
            raise InvalidInputError(f" has {size} bytes; limit {limits.max_text_bytes}", path_of(index))


def check_dimensions(dimensions: int, limit: int) -> None:
    """Refuse more dimensions than the model's vectors have, and fewer than one.

    Raises:
        InvalidInputError: the number asked for, and the limits.
    """
    if not 1 <= dimensions <= limit:
        raise InvalidInputError(f": got {dimensions}; limits 1..{limit}", ("dimensions",))


def check_reply_bytes(size: int, limits: Limits, advice: str = "ask for less") -> None:
    """Refuse a call whose reply would not fit a message, as soon as that is known.

    Raises:
        InvalidInputError: the bytes of the reply, and the limit.
    """
    if size > limits.max_reply_bytes:
        raise InvalidInputError(f"the reply would have {size} bytes or more; limit {limits.max_reply_bytes}: {advice}")
