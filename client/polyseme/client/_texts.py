"""Texts are checked before anything is sent; no error repeats a part of one."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from polyseme.client.errors import InvalidArgumentError

Texts: TypeAlias = str | Sequence[str]
"""One text, or several."""


def as_list(texts: object, name: str = "texts") -> tuple[list[str], bool]:
    """Give the texts as a list, and whether a single `str` was passed.

    Raises:
        InvalidArgumentError: neither a str nor an iterable, or no text at all.
    """
    if isinstance(texts, str):
        return [texts], True
    if isinstance(texts, bytes | bytearray) or not isinstance(texts, Iterable):
        raise InvalidArgumentError(f"{name} must be a str or a sequence of str, got {type(texts).__name__}")
    listed = list(texts)
    if not listed:
        raise InvalidArgumentError(f"{name} is empty; at least one text is needed")
    return listed, False


def utf8_sizes(texts: Sequence[object], name: str = "texts") -> list[int]:
    """Count the bytes of UTF-8 of each text.

    Raises:
        InvalidArgumentError: an entry is not a str, or has a lone surrogate.
    """
    return [_utf8_size(text, name, index) for index, text in enumerate(texts)]


def _utf8_size(text: object, name: str, index: int) -> int:
    if not isinstance(text, str):
        raise InvalidArgumentError(f"{name}[{index}] must be str, got {type(text).__name__}")
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        where = f"{name}[{index}] has a lone surrogate at position {error.start}"
    # Outside the except clause: the UnicodeEncodeError holds the whole text, and would be this error's context.
    raise InvalidArgumentError(f"{where}; it cannot be sent as UTF-8")
