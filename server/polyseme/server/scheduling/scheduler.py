"""The queue of one model: runner threads take batches from its backlog the moment they are free.

The event loop submits and cancels; the threads of a pool, its own or one shared with other models, take and run. Both
hold one lock for microseconds, so that a runner need not wait for a turn of the event loop between two batches. Results
go back with one `call_soon_threadsafe` per batch, and everything that belongs to a call (its futures, its counters) is
touched on the event loop only.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from polyseme.runtime.engines.hosts import Host
from polyseme.server.errors import DeadlineExpiredError, EngineError, NotFiniteError, QueueFullError, ServerError
from polyseme.server.scheduling.backlog import Backlog, Dequeued
from polyseme.server.scheduling.entry import Entry, Priority
from polyseme.server.scheduling.forecast import Forecast
from polyseme.server.scheduling.policy import BatchPolicy
from polyseme.server.scheduling.runner_pool import RunnerPool

Outcome = npt.NDArray[np.float32] | ServerError

_RETRY_S: Final = (0.05, 10.0)  # when to come again: at least, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """The figures of one batch, for metrics and traces.

    Attributes:
        texts: number of rows.
        tokens: number of real tokens.
        padded_tokens: rows times the longest.
        queue_s: seconds that each row waited.
        started: when the runner began; seconds of the machine's monotonic clock.
        run_s: seconds that the runner was busy.
        left_work: whether other texts still waited when it was taken.
        not_finite: number of rows that were withheld, since their numbers are not finite.
        traceparents: the spans of the calls that the rows are of, each once; none of calls that are not traced.
    """

    texts: int
    tokens: int
    padded_tokens: int
    queue_s: Sequence[float]
    started: float
    run_s: float
    left_work: bool = False
    not_finite: int = 0
    traceparents: Sequence[str] = ()


class Observer(Protocol):
    """Is told of batches, on the event loop."""

    def batch_done(self, report: BatchReport) -> None:
        """Take the report of a batch that has run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The texts of one call, all run. Its times are seconds of the machine's monotonic clock.

    Attributes:
        rows: what the runner gave for each text, in their order.
        queued: when they were queued.
        started: when the first batch was begun.
        ended: when the last batch had ended.
    """

    rows: list[npt.NDArray[np.float32]]
    queued: float
    started: float
    ended: float


@dataclass(slots=True, eq=False)
class Ticket:
    """The texts of one call on their way through the scheduler; `done` ends with all of them or the first error.

    `expected_s` is after how many seconds they should be answered; 0 where that was not asked.
    """

    done: asyncio.Future[Completed]
    arrived: float
    rows: list[npt.NDArray[np.float32] | None]
    missing: int
    expected_s: float = 0.0
    first_started: float = math.inf

    def put(self, entry: Entry, row: npt.NDArray[np.float32], now: float) -> None:
        """Take the row of one text: [D], or what else its task gives."""
        self.rows[entry.position] = row
        self.first_started = min(self.first_started, entry.started)
        self.missing -= 1
        if not self.missing:
            rows = [row for row in self.rows if row is not None]
            self.done.set_result(Completed(rows=rows, queued=self.arrived, started=self.first_started, ended=now))


class RunBatch(Protocol):
    """Runs one batch on the calling thread."""

    def __call__(self, entries: Sequence[Entry], /, *, alone: bool) -> list[Outcome]:
        """Give one outcome per entry, in order. What it raises becomes every entry's EngineError.

        Args:
            entries: the batch.
            alone: whether nothing else waits or runs: it may take more cores.
        """


class Scheduler:
    """The queue of one model, and its place in a pool of runner threads. Made, used and closed on one event loop.

    Attributes:
        pool: the threads.
    """

    def __init__(
        self,
        policy: BatchPolicy,
        run: RunBatch,
        *,
        runners: int | Sequence[Host] | RunnerPool,
        observer: Observer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the runners, or join those there are.

        Args:
            policy: how batches are made.
            run: runs one batch.
            runners: how many threads of its own, or threads that it has until `close`, or a pool that it shares.
            observer: told of every batch.
            clock: seconds, monotonic; of threads of its own, else the pool's is used.
        """
        self.pool = runners if isinstance(runners, RunnerPool) else RunnerPool(runners, clock=clock)
        self._owns_pool = self.pool is not runners
        self._backlog = Backlog(policy, runners=self.pool.threads)
        self._run = run
        self._observer = observer
        self._clock = self.pool.clock
        self._changed = self.pool.changed
        self._closed = False
        self._forecast = Forecast()
        self._loop = asyncio.get_running_loop()
        self._account = self.pool.join(self)

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait."""
        return self._backlog.tokens

    @property
    def queued_texts(self) -> int:
        """Texts that wait."""
        return len(self._backlog)

    def admit(self, priority: Priority, caller: str, deadline: float = math.inf, tokens: int = 0) -> float:
        """Refuse work of a caller where the queue has no room for it, or it would be answered too late.

        Where nothing waits nothing is refused, and work without a deadline is never late.

        Args:
            priority: which queue it would wait in.
            caller: whose it is.
            deadline: when its caller stops waiting; seconds of the clock.
            tokens: how many would be added, as far as that is known.

        Returns:
            Seconds that it should wait and run, at the speed of recent batches; 0 where that is unknown, or it has no
                deadline.

        Raises:
            QueueFullError: it is refused.
        """
        with self._changed:
            backlog, forecast = self._backlog, self._forecast
            if backlog.is_full(priority, caller):
                raise QueueFullError(
                    f"queue has {backlog.tokens} tokens; limit {backlog.policy.max_queue_tokens}",
                    retry_after_s=self._drain_s(),
                )
            if deadline == math.inf:
                return 0.0
            left_s = max(0.0, deadline - self._clock())
            most_s = left_s * backlog.policy.deadline_share
            run_s = self._run_s(backlog.tokens + tokens)
            if not backlog or run_s * forecast.off <= most_s:
                return run_s
            ahead = backlog.ahead(priority, caller, tokens)
            run_s = self._run_s(ahead + tokens)
            if (answered_s := run_s * forecast.off) > most_s:
                raise QueueFullError(
                    f"{ahead} tokens wait before it: an answer takes {answered_s:.2f} s; deadline in {left_s:.2f} s",
                    retry_after_s=_within(answered_s - most_s, *_RETRY_S),
                )
            return run_s

    async def wait_for_room(self, priority: Priority, caller: str) -> None:
        """Return when the queue has room: for callers that are to be slowed down rather than refused."""
        # Runner threads make room, and must not pay for telling.
        while self._is_full(priority, caller):  # noqa: ASYNC110
            await asyncio.sleep(min(self._drain_s() / 4, 0.05))

    @property
    def short_texts(self) -> int:
        """For the pool, under its lock: texts of short calls that wait."""
        return self._backlog.short_texts

    def ready_at(self) -> float | None:
        """For the pool, under its lock: when the next batch may start; None where nothing waits."""
        return self._backlog.ready_at()

    def take(self, now: float, short: int = 0) -> Dequeued:
        """For the pool, under its lock: remove the next batch, or one of so many tokens that overtakes."""
        return self._backlog.take(now, self._forecast.token_s, short)

    def run(self, dequeued: Dequeued, *, alone: bool) -> None:
        """For the pool, on one of its threads: run a batch, and send everybody what came of it."""
        expired = DeadlineExpiredError("deadline passed in the queue, or was too near to be met")
        self._post(dequeued.expired, [expired] * len(dequeued.expired), None)
        if dequeued.batch:
            self._post(*self._run_batch(dequeued, alone=alone))

    async def submit(self, entries: Sequence[Entry], *, refuse_late: bool = True) -> Completed:
        """Queue the texts of one call and wait for all of them.

        Where the awaiting task is cancelled, what has not been begun is dropped.

        Args:
            entries: the texts; of one caller, priority and deadline.
            refuse_late: whether they are refused where they would be answered too late.

        Raises:
            QueueFullError: too much waits already.
            DeadlineExpiredError: the deadline passed before a text's turn came, or was too near then.
            EngineError: a text could not be run.
        """
        ticket = self._enqueue(entries, refuse_late=refuse_late)
        try:
            completed = await ticket.done
        except BaseException:
            self._drop(entries)
            self._forecast.note_unanswered(ticket.expected_s, self._clock() - ticket.arrived)
            raise
        self._forecast.note_answered(ticket.expected_s, completed.ended - ticket.arrived)
        return completed

    async def close(self) -> None:
        """Leave the runners once they have ended its batches. What still waits ends with EngineError."""
        with self._changed:
            self._closed = True
            left = self._backlog.drain()
        self._deliver(left, [EngineError("server stopped")] * len(left), None)
        await self.pool.leave(self._account)
        if self._owns_pool:
            await self.pool.close()

    def _enqueue(self, entries: Sequence[Entry], *, refuse_late: bool) -> Ticket:
        now = self._clock()
        ticket = Ticket(self._loop.create_future(), now, [None] * len(entries), len(entries))
        first, tokens = entries[0], sum([entry.tokens for entry in entries])
        for position, entry in enumerate(entries):
            entry.owner, entry.position, entry.arrived, entry.call_tokens = ticket, position, now, tokens
        with self._changed:
            if self._closed:
                raise EngineError("server stopped")
            ticket.expected_s = self.admit(
                first.priority, first.caller, first.deadline if refuse_late else math.inf, tokens
            )
            self.pool.wake(self._account, len(entries), tokens)
            for entry in entries:
                self._backlog.add(entry)
        return ticket

    def _drop(self, entries: Sequence[Entry]) -> None:
        with self._changed:
            for entry in entries:
                self._backlog.discard(entry)

    def _run_batch(self, dequeued: Dequeued, *, alone: bool) -> tuple[list[Entry], list[Outcome], BatchReport | None]:
        batch, started = dequeued.batch, self._clock()
        for entry in batch:
            entry.started = started
        try:
            outcomes = self._run(batch, alone=alone)
        except BaseException as error:  # every future must end; the watchdog sees errors that should end the process
            failure = EngineError("a batch could not be run")
            failure.__cause__ = error
            outcomes = [failure] * len(batch)
        return batch, outcomes, self._report(dequeued, outcomes, started)

    def _report(self, dequeued: Dequeued, outcomes: Sequence[Outcome], started: float) -> BatchReport | None:
        """Report what was run; None where every deadline had passed."""
        lengths, waits, not_finite = [], [], 0
        traceparents: dict[str, None] = {}  # in order, each once
        for entry, outcome in zip(dequeued.batch, outcomes, strict=True):
            if not isinstance(outcome, DeadlineExpiredError):
                lengths.append(entry.tokens)
                waits.append(started - entry.arrived)
                not_finite += isinstance(outcome, NotFiniteError)
                if entry.origin.traceparent:
                    traceparents[entry.origin.traceparent] = None
        if not lengths:
            return None
        return BatchReport(
            texts=len(lengths),
            tokens=sum(lengths),
            padded_tokens=len(lengths) * max(lengths),
            queue_s=waits,
            started=started,
            run_s=self._clock() - started,
            left_work=dequeued.leaves_work,
            not_finite=not_finite,
            traceparents=list(traceparents),
        )

    def _post(self, entries: list[Entry], outcomes: Sequence[Outcome], report: BatchReport | None) -> None:
        if not entries:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, entries, outcomes, report)
        except RuntimeError:  # the loop has closed: nobody waits any more
            return

    def _deliver(self, entries: Sequence[Entry], outcomes: Sequence[Outcome], report: BatchReport | None) -> None:
        """On the event loop: hand every outcome to its call."""
        now = self._clock()
        for entry, outcome in zip(entries, outcomes, strict=True):
            ticket: Ticket = entry.owner
            if ticket.done.done():
                continue
            if isinstance(outcome, ServerError):
                ticket.done.set_exception(outcome)
            else:
                ticket.put(entry, outcome, now)
        if report is not None:
            self._forecast.note_batch(report.tokens, report.run_s, left_work=report.left_work)
            self._observer.batch_done(report)

    def _is_full(self, priority: Priority, caller: str) -> bool:
        with self._changed:
            return self._backlog.is_full(priority, caller)

    def _run_s(self, tokens: int) -> float:
        """Seconds until the runners, as far as they are its own, have run so many tokens."""
        return self._forecast.seconds(tokens * self.pool.sharers / self.pool.threads)

    def _drain_s(self) -> float:
        """Seconds until what waits has been run."""
        return _within(self._run_s(self._backlog.tokens) or 1.0, *_RETRY_S)


def _within(value: float, least: float, most: float) -> float:
    return min(most, max(least, value))
