"""Watches that the engines still run what they are given, and has the process end and start again where one does not.

The causes: a lost device, a run that hangs, a thread that has died, and an exception that is meant to end a process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from polyseme.runtime.errors import DeviceLostError

_TICK_S: Final = 1.0


class Watchdog:
    """Watches runs and other checks. Made on the event loop; runs are entered on any thread.

    Attributes:
        reason: why nothing can be run any more; empty while all is well.
    """

    def __init__(self, max_run_s: float, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Begin to watch with `wait_until_lost`.

        Args:
            max_run_s: a run that lasts longer is taken for a hanging device; 0: never.
            sleep: waits so many seconds; its sleeps are the clock.
        """
        self.reason = ""
        self._max_run_s = max_run_s
        self._sleep = sleep
        self._checks: list[Callable[[], str]] = []
        self._ticks = 0
        self._began: dict[object, int] = {}  # the tick at which each run began; a thread writes only its own
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
            self.lose(str(error))
            raise
        except Exception:
            raise
        except BaseException as error:  # SystemExit, a panic in Rust: whoever raises it wants the process to end
            self.lose(f"a batch ended with {type(error).__name__}")
            raise
        finally:
            del self._began[run]

    def watch(self, check: Callable[[], str]) -> Callable[[], None]:
        """Call a check once a second, on the event loop.

        Args:
            check: gives the reason why nothing can be run any more; empty while all is well.

        Returns:
            A function that ends these calls.
        """
        self._checks.append(check)
        return lambda: self._checks.remove(check)

    def lose(self, reason: str) -> None:
        """Say, on any thread, that nothing can be run any more."""
        self._loop.call_soon_threadsafe(self._lose, reason)

    async def wait_until_lost(self) -> None:
        """Return when nothing can be run any more."""
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            while not lost.done():
                tick = asyncio.ensure_future(self._sleep(_TICK_S))
                await asyncio.wait((lost, tick), return_when=asyncio.FIRST_COMPLETED)
                tick.cancel()
                self._tick()
        finally:
            lost.cancel()

    def _tick(self) -> None:
        """Count seconds by our own clock: a process that was stopped for a while has run for none of them."""
        self._ticks += 1
        oldest = min(list(self._began.values()), default=self._ticks)
        if self._max_run_s and (self._ticks - oldest) * _TICK_S > self._max_run_s:
            self._lose(f"a batch has been running for more than {self._max_run_s:g} s")
        for check in self._checks:
            if reason := check():
                self._lose(reason)

    def _lose(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._lost.set()
