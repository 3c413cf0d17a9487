"""Keeps the process within its memory: measures it, and ends calls that wait for their callers where it holds too much.

What gRPC's core holds of requests that have not come whole cannot be counted from Python. So the process is measured.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from polyseme.server.errors import ConfigError
from polyseme.server.memory.budget import Budget
from polyseme.server.memory.machine import resident_bytes, trim

log = logging.getLogger(__name__)

_INTERVAL_S: Final = 0.05
RECLAIM: Final = 0.85  # share of the limit from which calls that wait for their callers are ended
REFUSE: Final = 0.95  # share of the limit from which no call is let in
_LOG_S: Final = 10.0  # between two lines in the log


def room_for_calls(setting: str, limit: int, resident: int) -> int:
    """Give the bytes that calls may hold: what is left of the process's limit, with a reserve.

    Args:
        setting: the value of --max-memory, for messages.
        limit: bytes that the process may hold.
        resident: bytes that it holds before any call.

    Raises:
        ConfigError: nothing is left for calls.
    """
    room = int(limit * RECLAIM) - resident
    if room <= 0:
        raise ConfigError(
            f"--max-memory {setting}: {limit >> 20} MiB, of which the server holds {resident >> 20} before any call"
        )
    return room


class Transfers(Protocol):
    """Requests that are on their way in, and replies on their way out."""

    @property
    def under_way(self) -> bool:
        """True while there are transfers."""

    def end_late(self) -> None:
        """End requests and replies that take too long."""

    def end_requests(self, size: int) -> int:
        """End the oldest requests until so many bytes should be free; give the number of those ended."""

    def end_replies(self, size: int) -> int:
        """End the oldest replies until so many bytes should be free; give the number of those ended."""


class MemoryWatch:
    """Looks at the memory of the process while anything waits for a caller."""

    def __init__(
        self,
        limit: int,
        budget: Budget,
        transfers: Transfers,
        *,
        resident: Callable[[], int] = resident_bytes,
        trim: Callable[[], None] = trim,
    ) -> None:
        """Take the parts.

        Args:
            limit: bytes that the process may hold.
            budget: the budget of calls.
            transfers: ended where memory is short.
            resident: gives the bytes that the process holds.
            trim: gives freed memory back to the system.
        """
        self._limit = limit
        self._budget = budget
        self._transfers = transfers
        self._resident = resident
        self._trim = trim
        self._next_line = 0.0

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            if self._transfers.under_way or self._budget.is_short or self._budget.wanted:
                await self.look()

    async def look(self) -> None:
        """Look once, and act."""
        self._transfers.end_late()
        ended = 0
        if self._budget.wanted:
            ended += self._transfers.end_replies(self._budget.missing)
            self._budget.wanted = 0
        resident = self._resident()
        if resident > self._limit * RECLAIM:
            await asyncio.to_thread(self._trim)
            resident = self._resident()
        self._budget.is_short = resident > self._limit * REFUSE
        if resident > self._limit * RECLAIM:
            excess = int(resident - self._limit * RECLAIM)
            ended += self._transfers.end_requests(excess) or self._transfers.end_replies(excess)
        if ended:
            self._tell(resident, ended)

    def _tell(self, resident: int, ended: int) -> None:
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + _LOG_S
            log.warning(
                "memory was needed: ended %d calls that waited for their callers; %d MiB held of %d (silent for %g s)",
                ended,
                resident >> 20,
                self._limit >> 20,
                _LOG_S,
            )
