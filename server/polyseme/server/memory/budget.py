"""The budget of calls: bytes that they hold, by kind. Used on one event loop."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from enum import Enum
from typing import Final

from polyseme.server.errors import QueueFullError

UNASKED_BYTES: Final = 64 << 10  # of each request that gRPC takes in before anybody asks for it
RETRY_S: Final = 1.0  # when to come again
_LOOK_S: Final = 0.02


class Kind(Enum):
    """What memory is held for."""

    WORK = "work"  # requests that have been received, and what is made of them until they are answered
    REPLIES = "replies"  # made, and not yet taken by their callers


class Budget:
    """Counts what calls hold.

    Attributes:
        limit: bytes that calls may hold together.
        is_short: whether the process as a whole holds too much; no call is let in meanwhile.
        wanted: bytes that the largest call needed which has been refused; whoever makes room sets it to 0.
    """

    def __init__(self, limit: int = sys.maxsize) -> None:
        self.limit = limit
        self.is_short = False
        self.wanted = 0
        self._held = Counter[Kind]()

    @property
    def missing(self) -> int:
        """Bytes that would have to be given back for what is wanted; not above 0 where there is room."""
        return self.total + self.wanted - self.limit

    @property
    def total(self) -> int:
        """Bytes held."""
        return self._held.total()

    def held(self, kind: Kind) -> int:
        """Bytes held for one thing."""
        return self._held[kind]

    def refuse_if_short(self) -> None:
        """Raise QueueFullError where the process holds too much."""
        if self.is_short:
            raise QueueFullError("the server is short of memory", retry_after_s=RETRY_S)

    def add(self, kind: Kind, size: int) -> None:
        """Count bytes that are held, or given back where they are below 0."""
        self._held[kind] += size


class Share:
    """What one call holds of a budget, for its work."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0

    def fits(self, size: int) -> bool:
        """Whether so many bytes more may be held: always where no other call holds any, or some could never come in."""
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
        """Hold so many bytes more, as soon as they fit: for callers that are to be slowed down rather than refused."""
        while not self.fits(size):
            self._budget.wanted = max(self._budget.wanted, size)
            await asyncio.sleep(_LOOK_S)
        self.take(size)

    def give_back(self, size: int | None = None) -> None:
        """Hold so many bytes less; default: nothing any more."""
        size = self._size if size is None else size
        self._budget.add(Kind.WORK, -size)
        self._size -= size
