"""Offer load in a closed or an open loop; of a call these know only when it ended, and its status."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from polyseme.cli.load.shape import ClosedLoop, LoadShape, OpenLoop, Window, arrivals

NOT_SENT: Final = 17
"""A status beside gRPC's 0 to 16: given up before it was sent, since too many were in flight for too long."""

Call: TypeAlias = Callable[[int], Awaitable[tuple[int, int]]]
"""Sends a call by its number; gives its status code and the bytes of its reply."""

COLUMNS: Final = ("due_s", "sent_s", "ended_s", "code", "bytes")
"""Columns of a call: the times it was due, sent and ended (event loop's clock), status code, bytes of the reply."""


@dataclass(slots=True)
class Samples:
    """The calls of a loop since they were last drained.

    Attributes:
        rows: COLUMNS of each call that ended, one call after the other.
        in_flight: number of calls without an answer now.
        unfinished: number of calls that an interruption cut off.
    """

    rows: array[float] = field(default_factory=lambda: array("d"))
    in_flight: int = 0
    unfinished: int = 0

    def drain(self) -> bytes:
        """Give the rows as bytes of float64, and remove them."""
        drained = self.rows.tobytes()
        del self.rows[:]
        return drained


async def offer(shape: LoadShape, window: Window, call: Call, timeout_s: float, samples: Samples) -> None:
    """Offer load until the last call has ended; cancelling it cancels the calls under way."""
    if isinstance(shape, ClosedLoop):
        await _closed(shape, window, call, samples)
    else:
        await _open(shape, window, call, timeout_s, samples)


async def _closed(shape: ClosedLoop, window: Window, call: Call, samples: Samples) -> None:
    clock = asyncio.get_running_loop()
    left = float("inf") if window.calls is None else window.calls
    number = 0

    async def caller() -> None:
        nonlocal left, number
        while (now := clock.time()) < window.end:
            if now >= window.counted_from:
                if not left:
                    return
                left -= 1
            number += 1
            await _timed(call, number, samples, sent=now)  # the same time decides whether it counts

    await asyncio.sleep(max(0.0, window.start - clock.time()))
    async with asyncio.TaskGroup() as callers:
        for _ in range(shape.concurrency):
            callers.create_task(caller())


async def _open(shape: OpenLoop, window: Window, call: Call, timeout_s: float, samples: Samples) -> None:
    clock = asyncio.get_running_loop()
    slots = asyncio.Semaphore(shape.max_in_flight)

    async def one(number: int, due: float) -> None:
        try:
            await _timed(call, number, samples, sent=clock.time(), due=due)
        finally:
            slots.release()

    async with asyncio.TaskGroup() as calls:
        for number, due in enumerate(arrivals(shape, window)):
            await asyncio.sleep(max(0.0, due - clock.time()))
            if await _acquired(slots, due + timeout_s):
                calls.create_task(one(number, due))
            else:
                now = clock.time()
                samples.rows.extend((due, now, now, NOT_SENT, 0))


async def _acquired(slots: asyncio.Semaphore, until: float) -> bool:
    try:
        async with asyncio.timeout_at(until if slots.locked() else None):
            return await slots.acquire()
    except TimeoutError:
        return False


async def _timed(call: Call, number: int, samples: Samples, *, sent: float, due: float | None = None) -> None:
    clock = asyncio.get_running_loop()
    samples.in_flight += 1
    try:
        code, size = await call(number)
    except asyncio.CancelledError:
        samples.unfinished += 1
        raise
    finally:
        samples.in_flight -= 1
    samples.rows.extend((sent if due is None else due, sent, clock.time(), code, size))
