"""Check texts and pairs of texts before anything is sent; no error repeats a part of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from polyseme.client._arguments.texts import check_iterable, utf8_size
from polyseme.client.errors import InvalidArgumentError

TextsOrPairs: TypeAlias = str | tuple[str, str] | Iterable[str] | Iterable[tuple[str, str]]
"""One text or one pair of texts, or several: all texts, or all pairs."""


def as_pairs(texts: Any) -> tuple[list[Any], bool, bool]:  # noqa: ANN401  any value is taken, and checked
    """Convert texts or pairs to a list; say whether they are pairs, and whether a single one was passed.

    Raises:
        InvalidArgumentError: they are no such thing, or some are texts and some are pairs.
    """
    if isinstance(texts, str):
        return [texts], False, True
    if isinstance(texts, tuple) and len(texts) == 2 and all(isinstance(text, str) for text in texts):
        return [texts], True, True
    check_iterable(texts)
    listed = list(texts)
    kinds = {isinstance(one, tuple | list) for one in listed}
    if len(kinds) > 1:
        raise InvalidArgumentError("texts has texts and pairs of texts; pass one kind", field="texts")
    return listed, True in kinds, False


def pair_sizes(pairs: Sequence[Any], name: str, parts: tuple[str, str]) -> list[tuple[int, int]]:
    """Count the bytes of UTF-8 of both texts of each pair.

    Raises:
        InvalidArgumentError: an entry is not two str, or one has a lone surrogate.
    """
    sizes = []
    for index, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            field = f"{name}[{index}]"
            raise InvalidArgumentError(f"{field} must be two str, got {type(pair).__name__}", field=field)
        first, second = (utf8_size(text, f"{name}[{index}].{part}") for text, part in zip(pair, parts, strict=True))
        sizes.append((first, second))
    return sizes
