"""The fields of a message that is still bytes, found without parsing what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

VARINT: Final = 0
FIXED64: Final = 1
LENGTH_DELIMITED: Final = 2
START_GROUP: Final = 3
END_GROUP: Final = 4
FIXED32: Final = 5

_FIXED: Final = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT: Final = 10  # bytes: 64 bits, 7 a byte
_CONTINUES: Final = 0x80


class MalformedError(ValueError):
    """The bytes are not a message."""


Field: TypeAlias = tuple[int, int, int, int, int]
"""One field: where its tag starts; its number, 0 for what belongs to a group, which no contract here has; its wire
type; where its value starts, after the length; where its value ends."""


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """Give the fields of a message one by one, so that a reader who has seen enough can stop.

    Args:
        data: the bytes that the message lies in.
        start: index of its first byte.
        end: index behind its last byte.

    Raises:
        MalformedError: a tag, a length or a group is impossible.

    Source: https://protobuf.dev/programming-guides/encoding
    """
    groups = 0
    at = start
    while at < end:
        begin = at
        try:
            tag = data[at]
            at += 1
            if tag >= _CONTINUES:
                tag, at = _varint(data, begin)
            wire_type = tag & 7
            if wire_type == LENGTH_DELIMITED:
                size = data[at]
                at += 1
                if size >= _CONTINUES:
                    size, at = _varint(data, at - 1)
                stop = at + size
            elif wire_type == VARINT:
                stop = at + 1 if data[at] < _CONTINUES else _varint(data, at)[1]
            elif wire_type in _FIXED:
                stop = at + _FIXED[wire_type]
            elif wire_type in (START_GROUP, END_GROUP):
                stop = at
                groups += 1 if wire_type == START_GROUP else -1
            else:
                raise MalformedError(f"wire type {wire_type}")
        except IndexError:
            raise MalformedError("ends within a field") from None
        if stop > end or groups < 0:
            raise MalformedError("a field ends where its message does not")
        outside = not groups and wire_type != END_GROUP
        yield begin, tag >> 3 if outside else 0, wire_type, at, stop
        at = stop


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Give a number of several bytes, and where it ends."""
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < _CONTINUES:
            return value, at + place + 1
    raise MalformedError("a number of more than 10 bytes")
