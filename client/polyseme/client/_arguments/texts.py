"""Check texts before anything is sent; no error repeats a part of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, TypeAlias, TypeGuard

from polyseme.client.errors import InvalidArgumentError

Texts: TypeAlias = str | Iterable[str]
"""One text, or several: a list, a generator, an array or a column of str."""


def check_iterable(texts: object, name: str = "texts") -> None:
    """Refuse anything but an iterable whose order the caller knows.

    Raises:
        InvalidArgumentError: it is a table, a set, a mapping, a single str, an array of one value or no iterable.
    """
    if hasattr(texts, "__dataframe__") or hasattr(texts, "columns"):  # pandas, polars, pyarrow, dask
        got = type(texts).__name__
        raise InvalidArgumentError(f"{name} is a {got}, a table; pass one column of it, as in df['column']", field=name)
    if isinstance(texts, Set | Mapping):
        got = type(texts).__name__
        raise InvalidArgumentError(f"{name} is a {got}, which has no order; pass a list", field=name)
    if isinstance(texts, str | bytes | bytearray) or not is_several(texts):
        got = type(texts).__name__ + (" without an axis" if hasattr(texts, "ndim") else "")
        raise InvalidArgumentError(f"{name} must be a str or a sequence of str, got {got}", field=name)


def is_several(values: object) -> TypeGuard[Iterable[Any]]:
    """Say whether values are any number of them; an array without an axis is one value, though it looks iterable."""
    return isinstance(values, Iterable) and getattr(values, "ndim", 1) != 0


def as_list(texts: Any, name: str = "texts") -> tuple[list[str], bool]:  # noqa: ANN401  any value is taken, and checked
    """Convert texts to a list; say whether a single `str` was passed.

    Raises:
        InvalidArgumentError: they are neither a str nor an ordered iterable.
    """
    if isinstance(texts, str):
        return [texts], True
    check_iterable(texts, name)
    return list(texts), False


def utf8_sizes(texts: Sequence[object], name: str = "texts") -> list[int]:
    """Count the bytes of UTF-8 of each text.

    Raises:
        InvalidArgumentError: an entry is not a str, or has a lone surrogate.
    """
    return [utf8_size(text, f"{name}[{index}]") for index, text in enumerate(texts)]


def utf8_size(text: object, name: str) -> int:
    """Count the bytes of UTF-8 of one text.

    Raises:
        InvalidArgumentError: it is not a str, or has a lone surrogate.
    """
    if not isinstance(text, str):
        raise InvalidArgumentError(f"{name} must be str, got {type(text).__name__}", field=name)
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        where = f"{name} has a lone surrogate at position {error.start}"
    # Outside the except clause: the UnicodeEncodeError holds the whole text, and would be this error's context.
    raise InvalidArgumentError(f"{where}; it cannot be sent as UTF-8", field=name)
