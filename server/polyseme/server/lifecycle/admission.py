"""Decides whether calls are let in, and counts those under way."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final, TypeVar

from polyseme.server.errors import NotReadyError, QueueFullError
from polyseme.server.memory.budget import Budget
from polyseme.server.security.tokens import Tokens

T = TypeVar("T")

_QUIET_S: Final = 0.1  # longer than the time from a reply to the same caller's next request


class Admission:
    """Lets calls in while the server is ready, up to a limit of calls at once that callers share.

    Attributes:
        closed_because: why no call is let in; empty while calls are let in.
        calls: number of calls under way.
        closed: set when no more calls are let in: streams read no further.
        tokens: the tokens that callers may show.
        large_requests: held while a large request is read, so that they hold up the event loop one at a time.
        budget: the memory that calls may hold.
    """

    def __init__(self, max_concurrent_calls: int, tokens: Tokens, budget: Budget | None = None) -> None:
        self.tokens = tokens
        self.budget = budget or Budget()
        self.closed_because = "starting: the model is being loaded"
        self.closed = asyncio.Event()
        self.large_requests = asyncio.Lock()
        self.calls = 0
        self._by_generation: Counter[int] = Counter()  # calls under way
        self._by_caller: Counter[str] = Counter()
        self._generation = 0
        self._max_calls = max_concurrent_calls
        self._last_arrival = -math.inf

    def open(self) -> None:
        """Let calls in."""
        self.closed_because = ""

    def close(self, reason: str) -> None:
        """Let no more calls in; those under way go on, streams to the end of the requests that they have read."""
        self.closed_because = reason
        self.closed.set()

    async def wait_until_left(self) -> None:
        """Return when all calls that are under way now have ended."""
        generation = self._generation
        self._generation += 1
        while any(older <= generation for older in self._by_generation):  # noqa: ASYNC110  seldom, and not in a hurry
            await asyncio.sleep(_QUIET_S)

    async def wait_until_quiet(self, timeout_s: float) -> None:
        """Return when no call is under way and none has come for a while, or the time is up."""
        end = time.monotonic() + timeout_s
        while (now := time.monotonic()) < end and (self.calls or now < self._last_arrival + _QUIET_S):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def enter(self, caller: str = "") -> int:
        """Count a call that arrives; gives what it must `leave` with."""
        self._last_arrival = time.monotonic()
        self.calls += 1
        self._by_generation[self._generation] += 1
        self._by_caller[caller] += 1
        return self._generation

    def leave(self, generation: int, caller: str = "") -> None:
        """Count a call that has ended."""
        self.calls -= 1
        _count_down(self._by_generation, generation)
        _count_down(self._by_caller, caller)

    def check_arrival(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
        """Refuse a call that may not come in, as far as its metadata tells.

        Raises:
            UnauthenticatedError: it carries no token, or a wrong one.
            NotReadyError: the server is starting or draining.
            QueueFullError: too many calls are under way, or memory is short.
        """
        if self.tokens.needed:
            self.tokens.check(metadata)
        self.check_open()
        self.budget.refuse_if_short()
        if self.calls >= 2 * self._max_calls:  # whose call it is is not known yet; see `check`
            raise self._too_many(self.calls)

    def check_open(self) -> None:
        """Refuse a call while the server takes no work.

        Raises:
            NotReadyError: it is starting or draining.
        """
        if self.closed_because:
            raise NotReadyError(self.closed_because)

    def check(self, caller: str = "") -> None:
        """Refuse a call that has been counted and may not come in.

        Beyond the limit a caller is let in that has less than half of its share, while all callers but the largest have
        fewer calls than the limit: nobody can fill the server for others.

        Raises:
            NotReadyError: the server is starting or draining.
            QueueFullError: too many calls are under way.
        """
        self.check_open()
        others = self.calls - 1
        if others < self._max_calls:
            return
        own = self._by_caller[caller] - 1
        has_half = own * 2 * len(self._by_caller) >= self._max_calls
        if has_half or others - max(self._by_caller.values()) >= self._max_calls:
            raise self._too_many(others)

    def _too_many(self, calls: int) -> QueueFullError:
        return QueueFullError(f"{calls} calls are under way; limit {self._max_calls}", retry_after_s=1.0)


def _count_down(counts: Counter[T], key: T) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def open_to_all() -> Admission:
    """Make the admission of services that everybody may call at any time, without a token."""
    admission = Admission(sys.maxsize, Tokens(""))
    admission.open()
    return admission
