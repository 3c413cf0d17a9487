"""Runner threads that several queues share: the next batch comes from the queue that has had the least run time.

A run is not interrupted. So that a short call need not wait until a long text has been run, there may be one thread
more, the express runner: while every other one runs texts that are much longer, it runs short calls. The operating
system has the threads share the cores then.

Run time is kept as virtual time. A queue that comes back from idleness starts at the least virtual time of those that
are at work, so it is owed nothing for the time it was away; a debt from before (a batch at most per thread) stays.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple, Protocol

from polyseme.runtime.engines.hosts import Host
from polyseme.server.scheduling.backlog import Dequeued

log = logging.getLogger(__name__)

_MUCH_LONGER: Final = 8  # times as many tokens
_JOIN_S: Final = 10.0  # a runner that hangs must not keep the server from stopping


class BatchQueue(Protocol):
    """A queue that batches are taken from. The pool calls all but `run` under its lock."""

    @property
    def queued_texts(self) -> int:
        """Texts that wait."""

    @property
    def short_texts(self) -> int:
        """Texts of short calls that wait."""

    def ready_at(self) -> float | None:
        """When its next batch may start, in seconds of the pool's clock; None where nothing waits."""

    def take(self, now: float, short: int = 0) -> Dequeued:
        """Remove the next batch; where `short` is given, one of short calls, of so many tokens at most."""

    def run(self, dequeued: Dequeued, *, alone: bool) -> None:
        """Run it on the calling thread; alone: nothing else waits or runs. Must not raise."""


@dataclass(slots=True, eq=False)
class Account:
    """The run time of one queue.

    Attributes:
        queue: the queue.
        spent: virtual run time, in seconds; moved forward to the floor after idling.
        started: when each of its batches under way was begun; seconds of the pool's clock.
    """

    queue: BatchQueue
    spent: float
    started: list[float] = field(default_factory=list)

    @property
    def at_work(self) -> bool:
        """True while the queue has texts that wait, or a batch that runs."""
        return bool(self.started or self.queue.queued_texts)

    def virtual(self, now: float) -> float:
        """Its virtual time, batches under way counted as far as they are."""
        return self.spent + sum(now - started for started in self.started)


class _Turn(NamedTuple):
    """A batch that has begun.

    Attributes:
        account: of its queue.
        dequeued: what was taken.
        alone: whether nothing else waits or runs.
        lead: tokens of the text that leads it; None of the express runner's.
    """

    account: Account
    dequeued: Dequeued
    alone: bool = False
    lead: int | None = None


class RunnerPool:
    """Threads that run batches of every queue that joined.

    Attributes:
        changed: its lock; whoever changes what a queue has holds it, and notifies.
        clock: seconds, monotonic.
        threads: how many there are, without the express runner.
    """

    def __init__(
        self,
        threads: int | Sequence[Host],
        *,
        express: bool = False,
        clock: Callable[[], float] = time.monotonic,
        condition: Callable[[threading.RLock], threading.Condition] = threading.Condition,
    ) -> None:
        """Start threads, or begin on threads of others; `close` ends or leaves them.

        Args:
            threads: number of threads to start, or the threads of others.
            express: whether the last of them is the express runner.
            clock: seconds, monotonic.
            condition: makes the condition that threads wait on.
        """
        lock = threading.RLock()
        self.changed = condition(lock)
        self._express = condition(lock)  # likewise: the express runner's
        self._ended = condition(lock)  # its own condition: a waiter for an end must not take a runner's wake-up
        self.clock = clock
        self._accounts: list[Account] = []
        self._floor = 0.0  # the least virtual time of those at work; never falls
        self._closed = False
        hosts = [_new_thread(f"runner-{i}") for i in range(threads)] if isinstance(threads, int) else threads
        self.threads = len(hosts) - express
        self._leads: list[int] = []  # tokens of the text that leads each batch under way, but for the express runner's
        self._running = [host(partial(self._serve, self._next)) for host in hosts[: self.threads]]
        self._running += [host(partial(self._serve, self._next_short)) for host in hosts[self.threads :]]

    def failure(self) -> str:
        """Say how many threads have died; empty while all live, and once the pool is closed."""
        dead = sum(runner.done() for runner in self._running)
        return f"{dead} of {len(self._running)} runner threads died" if dead and not self._closed else ""

    @property
    def sharers(self) -> int:
        """Number of queues with work, at least 1."""
        return max(1, sum(account.at_work for account in self._accounts))

    def join(self, queue: BatchQueue) -> Account:
        """Take batches from one more queue from now on."""
        with self.changed:
            account = Account(queue, self._floor)
            self._accounts = [*self._accounts, account]
        return account

    def wake(self, account: Account, texts: int, tokens: int) -> None:
        """Call before texts are put into a queue, under the lock: threads look again once it is released.

        Args:
            account: of the queue.
            texts: how many.
            tokens: of all of them.
        """
        now = self.clock()
        if not account.at_work:
            self._raise_floor(now)
            account.spent = max(account.spent, self._floor)
        self.changed.notify(min(texts, self.threads))
        if tokens <= self._most_of_short():
            self._express.notify()

    async def leave(self, account: Account) -> None:
        """Take nothing more from a queue; returns once its batches under way have ended, or hang."""
        with self.changed:
            self._accounts = [other for other in self._accounts if other is not account]
        await asyncio.to_thread(self._wait_for, account)

    async def close(self) -> None:
        """End the threads once each has ended its batch."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()
            self._express.notify_all()
        await asyncio.wait(map(asyncio.wrap_future, self._running), timeout=_JOIN_S)

    def _wait_for(self, account: Account) -> None:
        with self._ended:
            self._ended.wait_for(lambda: not account.started, _JOIN_S)

    def _serve(self, following: Callable[[], _Turn | None]) -> None:
        """Run batches until the pool is closed: the life of one thread."""
        try:
            while (turn := following()) is not None:
                try:
                    turn.account.queue.run(turn.dequeued, alone=turn.alone)
                finally:
                    self._charge(turn)
        except BaseException:  # nobody else would learn of it
            log.exception("a runner has ended")
            raise

    def _next(self) -> _Turn | None:
        """Wait for work; None once closed. What is returned counts as begun."""
        with self.changed:
            while not self._closed:
                now = self.clock()
                due = [(at, account) for account in self._accounts if (at := account.queue.ready_at()) is not None]
                ready = [account for at, account in due if at <= now]
                if ready:
                    self._raise_floor(now)
                    account = min(ready, key=lambda account: (account.virtual(now), len(account.started)))
                    dequeued = account.queue.take(now)
                    alone = not any(other.at_work for other in self._accounts)
                    account.started.append(now)
                    lead = dequeued.batch[0].tokens if dequeued.batch else 0
                    self._leads.append(lead)
                    if any(other.queue.queued_texts for other in self._accounts):
                        self.changed.notify()  # whoever waited until the rest is due may be the one that leaves now
                    if self._most_of_short() and any(other.queue.short_texts for other in self._accounts):
                        self._express.notify()
                    return _Turn(account, dequeued, alone, lead)
                self.changed.wait(min(at for at, _ in due) - now if due else None)
            return None

    def _next_short(self) -> _Turn | None:
        """Wait for short calls that may overtake; None once closed. What is returned counts as begun."""
        with self.changed:
            while not self._closed:
                now = self.clock()
                for account in sorted(self._accounts, key=lambda account: account.virtual(now)):
                    if not (most := self._most_of_short()):
                        break
                    dequeued = account.queue.take(now, most)
                    if dequeued.batch or dequeued.expired:
                        account.started.append(now)
                        return _Turn(account, dequeued)
                self._express.wait()
            return None

    def _most_of_short(self) -> int:
        """Tokens that may overtake now: few beside those of each text that is run; 0 while a runner is free."""
        return min(self._leads) // _MUCH_LONGER if len(self._leads) == self.threads else 0

    def _charge(self, turn: _Turn) -> None:
        """Charge a queue for a batch that has ended.

        Any start time of a batch under way will do: once all batches have ended, the sum is right.
        """
        account = turn.account
        with self.changed:
            if turn.lead is not None:
                self._leads.remove(turn.lead)
            account.spent += self.clock() - account.started.pop()
            self._ended.notify_all()

    def _raise_floor(self, now: float) -> None:
        times = [account.virtual(now) for account in self._accounts if account.at_work]
        self._floor = max(self._floor, min(times, default=0.0))


def _new_thread(name: str) -> Host:
    """Make a thread that runs one function and ends."""

    def begin(function: Callable[[], None]) -> Future[None]:
        future: Future[None] = Future()

        def run() -> None:
            try:
                function()
            finally:
                future.set_result(None)

        threading.Thread(target=run, name=name, daemon=True).start()
        return future

    return begin
