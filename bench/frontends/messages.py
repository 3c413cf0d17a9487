"""Messages between front ends and an engine: calls one way, rows the other, as many in one write as a wake-up has.

A message is the size of what follows, then that. Only texts for one pooled vector each cross: enough to measure.

  call    number, priority, deadline, how the vector is wanted, caller, request id, ids of each text
  rows    number, times, tokens that wait, float32 rows
  end     number alone: the caller has gone (to the engine), or the call failed (from it)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from polyseme.runtime.tasks import PooledVector
from polyseme.server.engine.client import Submission, TextTask
from polyseme.server.scheduling import Completed, Origin, Priority

_SIZE: Final = struct.Struct("<I")
_CALL: Final = struct.Struct("<IBBBBBHd")  # number, priority, normalized, half, caller, request id, texts, deadline
_ROWS: Final = struct.Struct("<IIHHddd")  # number, tokens that wait, rows, width, queued, started, ended
_END: Final = struct.Struct("<I")


class Rows(NamedTuple):
    """The rows of a call, and how many tokens wait meanwhile."""

    completed: Completed
    queued_tokens: int


def encode_call(number: int, submission: Submission) -> bytes:
    """A call; all its texts are wanted alike."""
    caller, request = submission.caller.encode(), submission.origin.request_id.encode()
    texts = submission.texts
    task = texts[0].task
    assert isinstance(task, PooledVector)
    head = _CALL.pack(
        number,
        submission.priority,
        task.normalized,
        task.half,
        len(caller),
        len(request),
        len(texts),
        submission.deadline,
    )
    if len(texts) == 1:
        ids = texts[0].ids
        body = struct.pack(f"<H{len(ids)}i", len(ids), *ids)
    else:
        lengths = [len(text.ids) for text in texts]
        flat = [token for text in texts for token in text.ids]
        body = struct.pack(f"<{len(lengths)}H{len(flat)}i", *lengths, *flat)
    return b"".join((_SIZE.pack(len(head) + len(caller) + len(request) + len(body)), head, caller, request, body))


def decode_call(data: memoryview) -> tuple[int, Submission | None]:
    """A call, or that its caller has gone."""
    if len(data) == _END.size:
        return _END.unpack(data)[0], None
    number, priority, normalized, half, caller, request, texts, deadline = _CALL.unpack_from(data)
    at = _CALL.size
    name, identity = str(data[at : at + caller], "utf-8"), str(data[at + caller : at + caller + request], "utf-8")
    at += caller + request
    lengths = struct.unpack_from(f"<{texts}H", data, at)
    ids = np.frombuffer(data, np.int32, offset=at + 2 * texts)
    task = PooledVector(normalized=bool(normalized), half=bool(half))
    start, split = 0, []
    for length in lengths:
        split.append(TextTask(ids[start : start + length], task))
        start += length
    return number, Submission(
        texts=split, priority=Priority(priority), deadline=deadline, caller=name, origin=Origin(identity)
    )


def encode_rows(number: int, completed: Completed, queued_tokens: int) -> bytes:
    """The rows of a call."""
    rows = completed.rows
    head = _ROWS.pack(
        number, queued_tokens, len(rows), len(rows[0]), completed.queued, completed.started, completed.ended
    )
    body = [row.tobytes() for row in rows]
    return b"".join((_SIZE.pack(len(head) + sum(map(len, body))), head, *body))


def decode_rows(data: memoryview) -> tuple[int, Rows | None]:
    """The rows of a call, or that it failed."""
    if len(data) == _END.size:
        return _END.unpack(data)[0], None
    number, queued_tokens, count, width, queued, started, ended = _ROWS.unpack_from(data)
    table = np.frombuffer(data, np.float32, offset=_ROWS.size).reshape(count, width)
    return number, Rows(Completed(rows=list(table), queued=queued, started=started, ended=ended), queued_tokens)


def encode_end(number: int) -> bytes:
    """The number of a call alone."""
    return _SIZE.pack(_END.size) + _END.pack(number)


class Inbox:
    """Bytes as they come, cut into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """The messages that are whole now."""
        data = self._rest + data if self._rest else data
        view, at = memoryview(data), 0
        while at + _SIZE.size <= len(data):
            end = at + _SIZE.size + _SIZE.unpack_from(data, at)[0]
            if end > len(data):
                break
            yield view[at + _SIZE.size : end]
            at = end
        self._rest = data[at:]
