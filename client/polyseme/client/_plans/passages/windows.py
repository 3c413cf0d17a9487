"""Cut a document that is longer than the model takes into windows that overlap, each read at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Window(NamedTuple):
    """Tokens that are read together.

    Attributes:
        tokens: the tokens, by their index in the document.
        passages: indices of the passages whose vectors are taken from it.
    """

    tokens: range
    passages: tuple[int, ...]


def windows(passages: Sequence[range], count: int, *, size: int, overlap: int, most_passages: int) -> list[Window]:
    """Choose windows so that each passage lies in one of them, whole, behind `overlap` tokens where there are so many.

    Args:
        passages: the tokens of each; none is empty, or longer than `size`.
        count: number of tokens of the document.
        size: most tokens of a window.
        overlap: tokens that a window has before its first passage; fewer where the passage leaves no room.
        most_passages: of one window.

    Returns:
        Windows by the order of the passages in the document; one where everything fits.
    """
    waiting = sorted(range(len(passages)), key=lambda index: (passages[index].start, passages[index].stop))
    chosen: list[Window] = []
    while waiting:
        first = passages[waiting[0]]
        start = max(min(first.start - overlap, count - size), first.stop - size, 0)
        stop = min(start + size, count)
        taken = 0
        while taken < min(len(waiting), most_passages) and passages[waiting[taken]].stop <= stop:
            taken += 1
        chosen.append(Window(tokens=range(start, stop), passages=tuple(waiting[:taken])))
        del waiting[:taken]
    return chosen
