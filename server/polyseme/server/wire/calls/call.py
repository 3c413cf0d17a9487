"""One call as its method sees it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Final

from polyseme.server.inference.stopwatch import Stopwatch
from polyseme.server.inference.usage import Usage
from polyseme.server.memory.budget import Share
from polyseme.server.observe.tracing import Trace
from polyseme.server.scheduling import Origin

WORK_FACTOR: Final = 32  # bytes of memory that one byte of a request takes until it is answered, at worst


@dataclass(slots=True, kw_only=True)
class Call:
    """One call, or one request of a stream: its id, its time, its memory, and what it used.

    Attributes:
        origin: what the log and traces name it by; requests of a stream share the stream's id.
        started: when the request arrived; monotonic seconds.
        deadline: when the caller stops waiting; infinite where it set none.
        trace: is told when it ends.
        stopwatch: where its time goes.
        caller: who the caller is; callers share the queue.
        share: what it holds of the memory of all calls.
        usage: what the call used so far; requests of a stream share it.
    """

    origin: Origin
    started: float
    deadline: float
    trace: Trace
    stopwatch: Stopwatch
    caller: str
    share: Share
    usage: Usage = field(default_factory=Usage)

    def elapsed_s(self) -> float:
        """Seconds since the request arrived."""
        return time.monotonic() - self.started

    def begun_now(self) -> Call:
        """The same for a message that has just arrived in a stream."""
        now = time.monotonic()
        trace = self.trace.request(now)
        origin = Origin(self.origin.request_id, trace.traceparent)
        return replace(self, origin=origin, started=now, trace=trace, stopwatch=Stopwatch())
