"""Whether the engines still run what they are given: a lost or hanging device ends the process, to be started again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from polyseme.runtime.errors import DeviceLostError

_TICK_S = 1.0


class Watchdog:
    """Watches runs. Made on the event loop; `running` is entered on any thread.

    Attributes:
        reason: why nothing can be run any more; empty while all is well.
    """

    def __init__(self, max_run_s: float) -> None:
        """Take a run that lasts longer than this for a hanging device; 0: never."""
        self.reason = ""
        self._max_run_s = max_run_s
        self._ticks = 0
        self._began: dict[object, int] = {}  # of each run under way, at which tick; written by its own thread alone
        self._lost = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around each run."""
        run = object()
        self._began[run] = self._ticks
        try:
            yield
        except DeviceLostError as error:
            self._loop.call_soon_threadsafe(self._lose, str(error))
            raise
        finally:
            del self._began[run]

    async def wait_until_lost(self) -> None:
        """Return when nothing can be run any more."""
        while not self._lost.is_set():
            try:
                await asyncio.wait_for(self._lost.wait(), _TICK_S)
            except TimeoutError:
                self._tick()

    def _tick(self) -> None:
        """Count seconds by our own clock: a process that was stopped for a while has run for none of them."""
        self._ticks += 1
        oldest = min(list(self._began.values()), default=self._ticks)
        if self._max_run_s and (self._ticks - oldest) * _TICK_S > self._max_run_s:
            self._lose(f"a batch has been running for more than {self._max_run_s:g} s")

    def _lose(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._lost.set()
