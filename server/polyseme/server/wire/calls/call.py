"""One call as its method sees it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Final

from polyseme.server.inference.stopwatch import Stopwatch
from polyseme.server.inference.usage import Usage
from polyseme.server.memory.budget import Share
from polyseme.server.models.registry import Models
from polyseme.server.observe.tracing import Trace
from polyseme.server.scheduling import Origin

WORK_FACTOR: Final = 32  # most bytes of memory for each byte of a request, until it is answered


@dataclass(slots=True, kw_only=True)
class Call:
    """One call, or one request of a stream: its id, its times, its memory, and what it used.

    Attributes:
        origin: the id by which the log and traces name it; requests of a stream share the stream's id.
        started: when the request arrived; monotonic seconds.
        deadline: when the caller stops waiting; monotonic seconds, infinite where the caller set none.
        trace: the trace of this call; it is told when the call ends.
        stopwatch: measures the steps of this call.
        caller: the identity of the caller: token, certificate or address. Callers share the queue.
        share: the memory that this call holds, of the memory of all calls.
        usage: the model, texts and tokens of this call; requests of a stream share it.
        models: the models that answer a request of a stream, which waits where the queue is full, and whose memory has
            been counted; None: a call of its own, which is answered by those that are served, and is refused.
    """

    origin: Origin
    started: float
    deadline: float
    trace: Trace
    stopwatch: Stopwatch
    caller: str
    share: Share
    usage: Usage = field(default_factory=Usage)
    models: Models | None = None

    def elapsed_s(self) -> float:
        """Seconds since the request arrived."""
        return time.monotonic() - self.started

    def begun_now(self, models: Models) -> Call:
        """Copy the call of a stream for a request that has just arrived in it, with times of its own.

        Args:
            models: the models that answer all requests of the stream.
        """
        now = time.monotonic()
        trace = self.trace.request(now)
        origin = Origin(self.origin.request_id, trace.traceparent)
        return replace(self, origin=origin, started=now, trace=trace, stopwatch=Stopwatch(), models=models)
