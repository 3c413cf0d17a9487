"""Split a list of texts into calls: pure arithmetic on sizes. Order is kept; nothing is sorted.

Sizes are upper bounds of what the wire format needs, so that a call that fits here fits there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

SMALL_TEXTS: Final = 32
SMALL_BYTES: Final = 1024 * 1024
"""Limits below which a list goes out as one call, without asking the server for its limits first."""

BULK_TEXTS: Final = 256  # lengths sorted by the server in a window of 256: padding 4.16 -> 1.30 (design notes)
BULK_BYTES: Final = 16 * 1024
"""Limits of one of several calls. Four in flight are at most 33,000 tokens even at two bytes a token: half of the queue
of a server on a CPU (65,536), and some 10 s of work for two cores that run MiniLM."""

ENTRY_BYTES: Final = 6
"""Bytes of the tag and the length of one text in a request."""


class CallLimits(NamedTuple):
    """The limits of one call.

    Attributes:
        max_texts: number of texts.
        max_request_bytes: bytes that its texts may take in the request.
        max_reply_bytes: bytes that their answers may take in the reply.
    """

    max_texts: int
    max_request_bytes: int
    max_reply_bytes: int


def is_small(text_bytes: Sequence[int]) -> bool:
    """Say whether the texts go out as one call while the server's limits are not known."""
    return len(text_bytes) <= SMALL_TEXTS and sum(text_bytes) < SMALL_BYTES


def split(text_bytes: Sequence[int], reply_bytes: Sequence[int], limits: CallLimits) -> list[range]:
    """Cut texts into consecutive calls, each as large as the limits allow.

    Args:
        text_bytes: bytes of UTF-8 of each text.
        reply_bytes: upper bound of the bytes that each text adds to the reply; as long as text_bytes.
        limits: the limits of one call. A text that alone exceeds a byte limit gets a call of its own.

    Returns:
        Ranges of indices that cover all texts in order; none is empty.
    """
    calls: list[range] = []
    start, request, reply = 0, 0, 0
    for index, (asked, answered) in enumerate(zip(text_bytes, reply_bytes, strict=True)):
        fits = (
            index - start < limits.max_texts
            and request + asked + ENTRY_BYTES <= limits.max_request_bytes
            and reply + answered <= limits.max_reply_bytes
        )
        if not fits and index > start:
            calls.append(range(start, index))
            start, request, reply = index, 0, 0
        request += asked + ENTRY_BYTES
        reply += answered
    if start < len(text_bytes):
        calls.append(range(start, len(text_bytes)))
    return calls
