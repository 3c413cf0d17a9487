"""Where the time of one call goes."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import TypeVar

from polyseme.server.scheduling import Completed

T = TypeVar("T")


class Stopwatch:
    """Adds up the steps of a call.

    Attributes:
        tokenize_s: spent on tokenizing, the wait for a thread included.
        queue_s: from queueing to the start of the first batch.
        run_s: from the start to the end of batches.
    """

    def __init__(self) -> None:
        self.tokenize_s = 0.0
        self.queue_s = 0.0
        self.run_s = 0.0
        self._has_run = False

    async def tokenizing(self, work: Awaitable[T]) -> T:
        """Time what tokenizes texts."""
        started = time.monotonic()
        result = await work
        self.tokenize_s += time.monotonic() - started
        return result

    def ran(self, completed: Completed) -> None:
        """Texts were run."""
        if not self._has_run:
            self.queue_s = completed.queue_s
        self._has_run = True
        self.run_s += completed.run_s
