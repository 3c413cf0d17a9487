"""Offsets into a text, counted in code points, UTF-8 bytes or UTF-16 code units. Pure."""

from __future__ import annotations

from enum import Enum
from itertools import accumulate


class OffsetUnit(Enum):
    """What an offset counts."""

    CODE_POINT = "code_point"
    UTF8_BYTE = "utf8_byte"
    UTF16_CODE_UNIT = "utf16_code_unit"


class OffsetTable:
    """Converts the offsets of one text from code points, which Python and tokenizers count, to another unit."""

    __slots__ = ("_positions",)

    def __init__(self, text: str, unit: OffsetUnit) -> None:
        """Prepare a table; where the units agree on this text there is none, and conversion costs nothing."""
        self._positions: list[int] | None = None
        if unit is OffsetUnit.CODE_POINT or text.isascii():
            return
        width = _utf8_bytes if unit is OffsetUnit.UTF8_BYTE else _utf16_code_units
        self._positions = [0, *accumulate(map(width, text))]

    def from_code_points(self, offset: int) -> int:
        """The offset in the table's unit; 0 <= offset <= len(text)."""
        return offset if self._positions is None else self._positions[offset]


def _utf8_bytes(character: str) -> int:
    point = ord(character)
    return 1 if point < 0x80 else 2 if point < 0x800 else 3 if point < 0x10000 else 4


def _utf16_code_units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1
