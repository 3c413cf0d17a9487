"""A process that offers load: takes orders from a pipe, gives back what it saw.

The parent sends (Shape, Window) for each run, and a word to cut it short; it closes the pipe to end. The worker answers
READY once it is connected, then per run any number of Seen and one Done.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from polyseme.cli.load.caller import Caller, Calls
from polyseme.cli.load.loops import Samples, offer
from polyseme.cli.load.shape import Shape, Window

READY: Final = "ready"
CUT_SHORT: Final = "cut short"
_FLUSH_S: Final = 0.2
_PROBE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Seen:
    """What came in since the last report.

    Attributes:
        rows: float64, loops.COLUMNS of each call that ended.
        in_flight: calls without an answer.
    """

    rows: bytes
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a run went for the process that offered it.

    Attributes:
        cpu: share of a core that the process used in the counted time.
        lags_s: by how much the event loop was late, probed every 20 ms.
        unfinished: calls that were cut short.
        details: by status code, the first message that came with it.
    """

    cpu: float
    lags_s: list[float]
    unfinished: int
    details: dict[int, str]


def work(pipe: Connection, calls: Calls, connections: int, part: int, parts: int) -> None:
    """Be a worker until the parent says so, or is gone."""
    # epoll rounds a timeout up to whole milliseconds, select does not.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_work(pipe, calls, connections, part, parts))


async def _work(pipe: Connection, calls: Calls, connections: int, part: int, parts: int) -> None:
    orders: asyncio.Queue[Any] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def receive() -> None:
        try:
            orders.put_nowait(pipe.recv())
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            orders.put_nowait(None)

    loop.add_reader(pipe.fileno(), receive)
    async with Caller(calls, connections, first=part, step=parts) as caller:
        pipe.send(READY)
        while (order := await orders.get()) is not None:
            if order != CUT_SHORT:
                await _run(pipe, orders, caller, calls.timeout_s, *order)


async def _run(
    pipe: Connection, orders: asyncio.Queue[Any], caller: Caller, timeout_s: float, shape: Shape, window: Window
) -> None:
    samples, load = Samples(), _Load()
    run = asyncio.create_task(offer(shape, window, caller, timeout_s, samples))
    probe = asyncio.create_task(load.watch(window))
    told = asyncio.create_task(orders.get())
    while not run.done():
        await asyncio.wait((run, told), timeout=_FLUSH_S, return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            run.cancel()
            await asyncio.wait((run,))
        pipe.send(Seen(samples.take(), samples.in_flight))
    probe.cancel()
    if not told.cancel() and told.result() is None:
        orders.put_nowait(None)  # the parent is gone
    if not run.cancelled():
        run.result()  # a bug of ours: end with its traceback
    pipe.send(Done(cpu=load.cpu(), lags_s=load.lags_s, unfinished=samples.unfinished, details=dict(caller.details)))
    caller.details.clear()


class _Load:
    """What the process itself costs, within the window."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []
        self._from = self._to = (0.0, 0.0)

    def cpu(self) -> float:
        wall = self._to[1] - self._from[1]
        return (self._to[0] - self._from[0]) / wall if wall else 0.0

    async def watch(self, window: Window) -> None:
        clock = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, window.counted_from - clock.time()))
        self._from = self._to = time.process_time(), clock.time()
        due = self._to[1] + _PROBE_S
        while due < window.end:
            await asyncio.sleep(max(0.0, due - clock.time()))
            self._to = time.process_time(), clock.time()
            while due <= self._to[1]:  # every probe that a stall delayed counts, not only the first
                self.lags_s.append(self._to[1] - due)
                due += _PROBE_S
