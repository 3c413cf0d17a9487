"""One text of an input, and names in messages about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

_MOST_NAMES: Final = 20
_LONGEST_NAME: Final = 40


class Record(NamedTuple):
    """One text of the input.

    Attributes:
        text: the text; "" where it cannot be read.
        number: number of its line (CSV: of its last line), or of its row or entry in other formats; from 1.
        problem: the reason why it cannot be read; holds no part of it.
        kept: values of the columns that --keep names, in its order.
        second: the second text of a pair; None: there is none.
    """

    text: str
    number: int
    problem: str | None = None
    kept: tuple[Any, ...] = ()
    second: str | None = None


def listed(names: Sequence[str]) -> str:
    """List the columns or fields there are, for a message."""
    shown = [name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..." for name in names[:_MOST_NAMES]]
    return f"{len(names)}: {', '.join(shown)}{', ...' if len(names) > _MOST_NAMES else ''}"
