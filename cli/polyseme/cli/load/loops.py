"""The two loops: they know the event loop's clock, and of a call only when it ended and how."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from polyseme.cli.load.shape import Closed, Open, Shape, Window, arrivals

NOT_SENT: Final = 17
"""Beside gRPC's codes 0 to 16: given up before it was sent, since too many were in flight for too long."""

Call = Callable[[int], Awaitable[tuple[int, int]]]
"""Sends call number n; gives its status code and the bytes of its reply."""

COLUMNS: Final = ("due_s", "sent_s", "ended_s", "code", "bytes")
"""Of a call: when it was due, when it was sent, when it ended (event loop's clock), how, and the bytes of the reply."""


@dataclass(slots=True)
class Samples:
    """What a loop has seen, until it is taken away.

    Attributes:
        rows: COLUMNS after COLUMNS.
        in_flight: calls without an answer now.
        unfinished: calls that were cut off when the run was interrupted.
    """

    rows: array[float] = field(default_factory=lambda: array("d"))
    in_flight: int = 0
    unfinished: int = 0

    def take(self) -> bytes:
        """Give the rows as bytes, and forget them."""
        taken = self.rows.tobytes()
        del self.rows[:]
        return taken


async def offer(shape: Shape, window: Window, call: Call, timeout_s: float, samples: Samples) -> None:
    """Offer load; ends when the last call has. Cancelled, it cancels the calls under way."""
    if isinstance(shape, Closed):
        await _closed(shape, window, call, samples)
    else:
        await _open(shape, window, call, timeout_s, samples)


async def _closed(shape: Closed, window: Window, call: Call, samples: Samples) -> None:
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
            await _timed(call, number, samples, sent=now)  # the time by which it was counted, or not

    await asyncio.sleep(max(0.0, window.start - clock.time()))
    async with asyncio.TaskGroup() as callers:
        for _ in range(shape.concurrency):
            callers.create_task(caller())


async def _open(shape: Open, window: Window, call: Call, timeout_s: float, samples: Samples) -> None:
    clock = asyncio.get_running_loop()
    slots = asyncio.Semaphore(shape.most_in_flight)

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
