"""The budget of calls: bytes that they hold, by kind. Used on one event loop."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from enum import StrEnum
from typing import Final

from polyseme.server.errors import QueueFullError

UNASKED_BYTES: Final = 64 << 10  # bytes of each request that gRPC receives before anybody asks for it
RETRY_S: Final = 1.0  # seconds until a refused caller should try again
_LOOK_S: Final = 0.02


class Kind(StrEnum):
    """The kinds of memory that calls hold."""

    WORK = "work"  # requests that have been received, and all that is made of them until they are answered
    REPLIES = "replies"  # replies that are made, and not yet taken by their callers


class Budget:
    """Counts the bytes that calls hold.

    Attributes:
        limit: bytes that calls may hold together.
        is_short: whether the process as a whole holds too much; no call is let in meanwhile.
        wanted: bytes of the largest call that was refused; whoever makes room sets it to 0.
        total: bytes that calls hold.
    """

    def __init__(self, limit: int = sys.maxsize) -> None:
        self.limit = limit
        self.is_short = False
        self.wanted = 0
        self.total = 0
        self._held = Counter[Kind]()

    @property
    def missing(self) -> int:
        """Bytes that calls must give back for the call that was refused to fit; 0 or less: it fits."""
        return self.total + self.wanted - self.limit

    def held(self, kind: Kind) -> int:
        """Count the bytes that calls hold of one kind."""
        return self._held[kind]

    def refuse_if_short(self) -> None:
        """Raise QueueFullError where the process holds too much."""
        if self.is_short:
            raise QueueFullError("the server is short of memory", retry_after_s=RETRY_S)

    def add(self, kind: Kind, size: int) -> None:
        """Count bytes that are held, or given back where they are below 0."""
        self._held[kind] += size
        self.total += size


class Share:
    """The share of a budget that one call holds for its work."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0

    def fits(self, size: int) -> bool:
        """Tell whether so many bytes more fit.

        They do where no other call holds any: the largest call could never come in otherwise.
        """
        total = self._budget.total
        return total == self._size or total + size <= self._budget.limit

    def take(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            QueueFullError: they would exceed the budget.
        """
        if not self.fits(size):
            self._budget.wanted = max(self._budget.wanted, size)
            raise QueueFullError(
                f"calls hold {self._budget.total} bytes of memory and this one needs {size} more; "
                f"limit {self._budget.limit}",
                retry_after_s=RETRY_S,
            )
        self._budget.add(Kind.WORK, size)
        self._size += size

    async def take_when_free(self, size: int) -> None:
        """Wait until so many bytes more fit, and hold them: for callers that are slowed down rather than refused."""
        while not self.fits(size):
            self._budget.wanted = max(self._budget.wanted, size)
            await asyncio.sleep(_LOOK_S)
        self.take(size)

    def give_back(self, size: int | None = None) -> None:
        """Give so many bytes back; None: all of them."""
        size = self._size if size is None else size
        self._budget.add(Kind.WORK, -size)
        self._size -= size
