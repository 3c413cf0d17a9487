"""Hold the offsets of a reply to the text that they lie in."""

from __future__ import annotations

from collections.abc import Iterable

from polyseme.client.errors import InvalidReplyError
from polyseme.v1 import common_pb2


def length_of(text: str, unit: common_pb2.OffsetUnit.ValueType) -> int:
    """Give the length of a text in a unit of offsets."""
    if text.isascii() or unit in (common_pb2.OFFSET_UNIT_UNSPECIFIED, common_pb2.OFFSET_UNIT_CODE_POINT):
        return len(text)
    if unit == common_pb2.OFFSET_UNIT_UTF8_BYTE:
        return len(text.encode())
    return len(text.encode("utf-16-le")) // 2


def check_offsets(offsets: Iterable[tuple[int, int]], length: int) -> None:
    """Check that every (start, end) lies in a text of this length.

    Raises:
        InvalidReplyError: one does not.
    """
    for start, end in offsets:
        if not 0 <= start <= end <= length:
            raise InvalidReplyError(f"reply has offsets ({start}, {end}) in a text of length {length}")
