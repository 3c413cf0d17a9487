"""An event loop and threads in virtual time: one real thread, no waiting, the same order of things at every run.

Threads are greenlets. One runs until it sleeps or waits on a condition; then the event loop goes on. Time passes when
nothing is left to do at the present one. Which of several waiters hears of a change first, and how late, is drawn.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, cast

from greenlet import getcurrent, greenlet

from polyseme.runtime.engines.hosts import Host

LATEST_WAKE_S = 50e-6
LONGEST_S = 120.0  # a simulation that lasts longer looks for something that will never be


class HangError(Exception):
    """Something waits, and nothing will ever happen."""


class VirtualLoop(BaseEventLoop):
    """An event loop whose time passes only when nothing is left to do."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.draw = random.Random(seed)
        self._now = 0.0
        self._selector = self
        self._hub = getcurrent()

    def time(self) -> float:
        """Seconds since it was made, in virtual time."""
        return self._now

    def select(self, timeout: float | None) -> Sequence[Any]:
        """Stand in for a selector: nothing ever comes from outside.

        Raises:
            HangError: nothing is left to wait for.
        """
        if timeout is None or self._now > LONGEST_S:
            raise HangError(f"at {self._now:.6f} s something waits, and nothing will ever happen")
        self._now += timeout
        return ()

    def run_in_executor(self, _: object, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Run a function on a virtual thread."""
        return asyncio.wrap_future(self.host(lambda: function(*args)), loop=self)

    def host(self, function: Callable[[], Any]) -> Future[Any]:
        """Begin a function on a virtual thread; see `Host`."""
        future: Future[Any] = Future()

        def life() -> None:
            try:
                result = function()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        thread = greenlet(life, parent=self._hub)
        thread.gr_context = contextvars.copy_context()
        self.call_soon(thread.switch)
        return future

    def hosts(self, count: int) -> list[Host]:
        """Give so many virtual threads."""
        return [self.host] * count

    def sleep(self, seconds: float) -> None:
        """Let a virtual thread sleep."""
        thread = getcurrent()
        self.call_later(seconds, thread.switch)
        self._hub.switch()

    def condition(self, _: object) -> threading.Condition:
        """Make what virtual threads wait on."""
        return cast("threading.Condition", VirtualCondition(self))

    def _process_events(self, _: object) -> None:
        return

    def _write_to_self(self) -> None:
        return


class VirtualCondition:
    """A `threading.Condition` of virtual threads. No thread is interrupted, so its lock is never waited for."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._waiting: list[list[greenlet]] = []  # of each one the thread; emptied when it is woken

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        return

    def wait(self, timeout: float | None = None) -> bool:
        """Wait to be notified, or for so many seconds of virtual time."""
        waiter = [getcurrent()]
        self._waiting.append(waiter)
        timer = None if timeout is None else self._loop.call_later(max(timeout, 0), self._wake, waiter)
        self._loop._hub.switch()  # noqa: SLF001
        if timer is not None:
            timer.cancel()
        return True

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until something is so, or the time is up."""
        end = None if timeout is None else self._loop.time() + timeout
        while not predicate():
            if end is not None and self._loop.time() >= end:
                return False
            self.wait(None if end is None else end - self._loop.time())
        return True

    def notify(self, n: int = 1) -> None:
        """Wake so many of those that wait, whichever."""
        draw = self._loop.draw
        for waiter in draw.sample(self._waiting, min(n, len(self._waiting))):
            self._waiting.remove(waiter)
            self._loop.call_later(draw.uniform(0, LATEST_WAKE_S), self._wake, waiter)

    def notify_all(self) -> None:
        """Wake all that wait."""
        self.notify(len(self._waiting))

    def _wake(self, waiter: list[greenlet]) -> None:
        if waiter in self._waiting:  # its time is up
            self._waiting.remove(waiter)
        if waiter:
            waiter.pop().switch()
