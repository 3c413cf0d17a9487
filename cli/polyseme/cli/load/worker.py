"""A process that offers load: it gets orders over a pipe, and reports its calls.

The parent sends (LoadShape, Window) for each run, and INTERRUPT to end it early; it closes the pipe to end the process.
The worker sends READY once it is connected, then for each run any number of NewSamples and one RunSummary.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from polyseme.cli.load.caller import Caller, CallSpec
from polyseme.cli.load.loops import Samples, offer
from polyseme.cli.load.shape import LoadShape, Window

READY: Final = "ready"
INTERRUPT: Final = "interrupt"
_FLUSH_S: Final = 0.2
_PROBE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class NewSamples:
    """The calls that ended since the last report.

    Attributes:
        rows: float64 bytes, loops.COLUMNS of each call that ended.
        in_flight: number of calls without an answer.
    """

    rows: bytes
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The last report of a run.

    Attributes:
        cpu: share of a core that the process used in the counted time.
        lags_s: lateness of the event loop, measured every 20 ms.
        unfinished: number of calls that an interruption cut off.
        details: the first message of each status code.
    """

    cpu: float
    lags_s: list[float]
    unfinished: int
    details: dict[int, str]


def work(pipe: Connection, spec: CallSpec, connections: int, index: int, count: int) -> None:
    """Work until the parent closes the pipe, or is gone."""
    # epoll rounds a timeout up to whole milliseconds, select does not.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_work(pipe, spec, connections, index, count))


async def _work(pipe: Connection, spec: CallSpec, connections: int, index: int, count: int) -> None:
    orders: asyncio.Queue[Any] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def receive() -> None:
        try:
            orders.put_nowait(pipe.recv())
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            orders.put_nowait(None)

    loop.add_reader(pipe.fileno(), receive)
    async with Caller(spec, connections, first=index, step=count) as caller:
        pipe.send(READY)
        while (order := await orders.get()) is not None:
            if order != INTERRUPT:
                await _run(pipe, orders, caller, spec.timeout_s, *order)


async def _run(
    pipe: Connection, orders: asyncio.Queue[Any], caller: Caller, timeout_s: float, shape: LoadShape, window: Window
) -> None:
    samples, usage = Samples(), _ProcessUsage()
    run = asyncio.create_task(offer(shape, window, caller, timeout_s, samples))
    probe = asyncio.create_task(usage.watch(window))
    order = asyncio.create_task(orders.get())
    while not run.done():
        await asyncio.wait((run, order), timeout=_FLUSH_S, return_when=asyncio.FIRST_COMPLETED)
        if order.done():
            run.cancel()
            await asyncio.wait((run,))
        pipe.send(NewSamples(samples.drain(), samples.in_flight))
    probe.cancel()
    if not order.cancel() and order.result() is None:
        orders.put_nowait(None)  # the parent is gone
    if not run.cancelled():
        run.result()  # a bug of ours: end with its traceback
    pipe.send(
        RunSummary(cpu=usage.cpu(), lags_s=usage.lags_s, unfinished=samples.unfinished, details=dict(caller.details))
    )
    caller.details.clear()


class _ProcessUsage:
    """Measures the CPU time and the lateness of the process within the window."""

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
