"""Offsets into a text, counted in code points, UTF-8 bytes or UTF-16 code units. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import Enum
from itertools import accumulate
from typing import Final


class OffsetUnit(Enum):
    """The units that offsets count."""

    CODE_POINT = "code_point"
    UTF8_BYTE = "utf8_byte"
    UTF16_CODE_UNIT = "utf16_code_unit"


_PLURAL: Final = {
    OffsetUnit.CODE_POINT: "code points",
    OffsetUnit.UTF8_BYTE: "UTF-8 bytes",
    OffsetUnit.UTF16_CODE_UNIT: "UTF-16 code units",
}


class OffsetError(ValueError):
    """No character starts or ends at an offset; the message holds nothing of the text.

    Attributes:
        offset: the offset.
        length: the length of the text in the same unit, which is the highest offset.
        unit: the unit of both.
        inside: whether the offset lies inside a code point; else it lies outside of the text.
    """

    def __init__(self, offset: int, *, length: int, unit: OffsetUnit) -> None:
        self.offset = offset
        self.length = length
        self.unit = unit
        self.inside = 0 <= offset <= length
        where = "is inside a code point" if self.inside else "is beyond the end" if offset > length else "is negative"
        super().__init__(f"{offset} {where}; the text has {length} {_PLURAL[unit]}")


class OffsetTable:
    """Converts the offsets of one text between code points, which Python and tokenizers count, and another unit.

    Attributes:
        unit: the other unit.
        length: the length of the text in that unit.
    """

    __slots__ = ("_positions", "length", "unit")

    def __init__(self, text: str, unit: OffsetUnit) -> None:
        """Prepare a table; where the units agree on this text there is none, and conversion costs nothing."""
        self._positions: list[int] | None = None
        self.unit = unit
        self.length = len(text)
        if unit is OffsetUnit.CODE_POINT or text.isascii():
            return
        width = _utf8_bytes if unit is OffsetUnit.UTF8_BYTE else _utf16_code_units
        self._positions = [0, *accumulate(map(width, text))]
        self.length = self._positions[-1]

    def from_code_points(self, offset: int) -> int:
        """Convert an offset of code points to the table's unit; 0 <= offset <= len(text)."""
        return offset if self._positions is None else self._positions[offset]

    def to_code_points(self, offset: int) -> int:
        """Convert an offset in the table's unit to code points.

        Raises:
            OffsetError: the offset lies beyond the end of the text or inside a code point.
        """
        if not 0 <= offset <= self.length:
            raise OffsetError(offset, length=self.length, unit=self.unit)
        if self._positions is None:
            return offset
        point = bisect_left(self._positions, offset)
        if self._positions[point] != offset:
            raise OffsetError(offset, length=self.length, unit=self.unit)
        return point


class Overlaps:
    """Finds the tokens of a text that overlap a part of it; tokens at (0, 0) are not of the text and overlap nothing.

    Tokens are looked at in the order of their starts. That is their own order but for byte-level vocabularies under
    NFKC: a lone cedilla becomes a space, which keeps only the end of its offsets, and a mark with those of the cedilla.
    """

    __slots__ = ("_ends", "_in_order", "_indices", "_reach", "_starts")

    def __init__(self, offsets: Sequence[tuple[int, int]]) -> None:
        of_text = [i for i, (_, end) in enumerate(offsets) if end]
        self._indices = sorted(of_text, key=lambda i: offsets[i][0])
        self._starts = [offsets[i][0] for i in self._indices]
        self._ends = [offsets[i][1] for i in self._indices]
        self._reach = list(accumulate(self._ends, max))
        self._in_order = self._indices == of_text and self._reach == self._ends

    def over(self, start: int, end: int) -> list[int]:
        """Give the indices of the tokens that overlap [start, end), ascending."""
        first, last = self._candidates(start, end)
        if self._in_order:
            return self._indices[first:last]
        return sorted(self._indices[i] for i in range(first, last) if self._ends[i] > start)

    def any_over(self, start: int, end: int) -> bool:
        """Tell whether a token overlaps [start, end)."""
        first, last = self._candidates(start, end)
        return first < last

    def _candidates(self, start: int, end: int) -> tuple[int, int]:
        """Find the range, in the order of starts, that holds them; its first is one of them if there is any."""
        return bisect_right(self._reach, start), bisect_left(self._starts, end)


def _utf8_bytes(character: str) -> int:
    point = ord(character)
    return 1 if point < 0x80 else 2 if point < 0x800 else 3 if point < 0x10000 else 4


def _utf16_code_units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1
