"""The times of the steps of one call."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import TypeVar

from polyseme.server.observe.tracing import Step
from polyseme.server.scheduling import Completed

T = TypeVar("T")


class Stopwatch:
    """Adds up the steps of a call.

    Attributes:
        tokenize_s: seconds of tokenizing, the wait for a thread included.
        queue_s: seconds from queueing to the start of the first batch.
        run_s: seconds from the start of the first batch to the end of the last.
        steps: name, start and end of each step, in the order in which they ended; monotonic seconds.
    """

    def __init__(self) -> None:
        self.tokenize_s = 0.0
        self.queue_s = 0.0
        self.run_s = 0.0
        self.steps: list[Step] = []
        self._has_run = False

    async def tokenizing(self, work: Awaitable[T]) -> T:
        """Wait for the tokenizer, and add the time that it took."""
        started = time.monotonic()
        result = await work
        ended = time.monotonic()
        self.tokenize_s += ended - started
        self.steps.append(("tokenize", started, ended))
        return result

    def ran(self, completed: Completed) -> None:
        """Add the times of texts that have run."""
        if not self._has_run:
            self.queue_s = completed.started - completed.queued
        self._has_run = True
        self.run_s += completed.ended - completed.started
        self.steps += ("queue", completed.queued, completed.started), ("run", completed.started, completed.ended)

    def encoded(self) -> None:
        """Note that the reply is encoded; the time since the last step went into that. Nothing without a step."""
        if self.steps:
            _, _, ended = self.steps[-1]
            self.steps.append(("encode", ended, time.monotonic()))
