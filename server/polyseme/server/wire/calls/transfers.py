"""Requests on their way in and replies on their way out: what a server holds because a caller is slow, or means ill.

How much has come of a request only gRPC's core knows, so that one is ended by its age; of a reply the size is known.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import grpc

from polyseme.server.errors import DeadlineExpiredError, QueueFullError, ServerError
from polyseme.server.memory.budget import RETRY_S, Budget, Kind
from polyseme.server.wire.calls.call_tasks import cancel_now, end_call, finished

ServicerContext: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_COPIES: Final = 2  # copies of a reply that is being sent: Python's and the core's
_CALL_BYTES: Final = 16 << 10  # bytes of a call besides its reply
_YOUNG_S: Final = 1.0  # seconds; the caller of a younger reply may be reading it


class TransferObserver(Protocol):
    """Is told of transfers."""

    def transfer_ended(self, what: str, why: str) -> None:
        """Take note of a call that the server ended.

        Args:
            what: "request": it did not come whole; "reply": the caller did not take it.
            why: "late" or "memory".
        """


@dataclass(slots=True, eq=False)
class _Request:
    """A request that has not come whole.

    Attributes:
        began: when the server began to wait for it; monotonic seconds.
        may_idle: whether its caller may take any time, as in a stream between two messages.
        ended: the error that ended it; None while the server waits for it.
    """

    began: float
    may_idle: bool
    ended: ServerError | None = None


@dataclass(slots=True, eq=False)
class _Reply:
    """A reply that has not been taken.

    Attributes:
        began: when it was given to gRPC's core; monotonic seconds.
        size: bytes of memory that it holds.
        ended: whether the server has ended its call.
    """

    began: float
    size: int
    ended: bool = False


Task: TypeAlias = asyncio.Task[Any]


class Transfers:
    """The transfers of one server: requests that have not come whole, replies that have not been taken.

    Used on one event loop.
    """

    def __init__(
        self,
        budget: Budget,
        limit_s: float,
        largest: int,
        observer: TransferObserver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without transfers.

        Args:
            budget: counts the memory of replies.
            limit_s: seconds within which a request must come whole, and a reply must be taken.
            largest: bytes of the largest request that the server takes.
            observer: is told of every transfer that is ended.
            clock: seconds, monotonic.
        """
        self._budget = budget
        self._limit_s = limit_s
        self._largest = largest
        self._observer = observer
        self._clock = clock
        # Both in the order in which they began.
        self._requests: dict[Task, _Request] = {}
        self._replies: dict[Task, _Reply] = {}

    @property
    def under_way(self) -> bool:
        """True while there are transfers."""
        return bool(self._requests or self._replies)

    @property
    def requests(self) -> int:
        """Number of requests that have not come whole."""
        return len(self._requests)

    async def receive(self, context: ServicerContext, *, may_idle: bool = False) -> Any:  # noqa: ANN401
        """Receive the next message of a call; `grpc.aio.EOF`: the caller sends no more.

        Args:
            context: gRPC's context of the call.
            may_idle: whether the caller may take any time, as in a stream between two messages.

        Raises:
            DeadlineExpiredError: the message did not come whole within the limit.
            QueueFullError: memory became short before the message had come.
        """
        task = _this_task()
        request = self._requests[task] = _Request(self._clock(), may_idle)
        try:
            return await finished(task, context.read())
        except asyncio.CancelledError:
            if request.ended is None or task.uncancel():
                raise
            raise request.ended from None
        finally:
            del self._requests[task]

    async def send(self, context: ServicerContext, data: bytes) -> None:
        """Send a message, and return when it has been taken."""
        task = _this_task()
        self._add(task, len(data))
        try:
            await finished(task, context.write(data))
        finally:
            self._remove(task)

    def leave_to_core(self, size: int) -> None:
        """Count a reply that gRPC sends once the method returns, until its call ends.

        Args:
            size: bytes of the reply.
        """
        task = _this_task()
        self._add(task, size)
        task.add_done_callback(self._remove)

    def end_late(self) -> None:
        """End requests and replies that have taken longer than the limit."""
        latest = self._clock() - self._limit_s
        error = DeadlineExpiredError(f"the request did not come whole within {self._limit_s:g} s")
        for task, request in list(self._requests.items()):
            if request.began > latest:
                break
            if not request.may_idle:
                self._end_request(task, request, error, "late")
        for task, reply in list(self._replies.items()):
            if reply.began > latest:
                break
            self._end_reply(task, reply, "late")

    def end_requests(self, size: int) -> int:
        """End the oldest requests, to free memory; those whose caller may take any time come last.

        Args:
            size: bytes that should become free.

        Returns:
            Number of requests that were ended.
        """
        error = QueueFullError("the server is short of memory; the request had not come whole", retry_after_s=RETRY_S)
        waiting = [(task, request) for task, request in self._requests.items() if request.ended is None]
        waiting.sort(key=lambda each: each[1].may_idle)
        ended = waiting[: max(0, -(-size // self._largest))]  # each holds at most the largest message
        for task, request in ended:
            self._end_request(task, request, error, "memory")
        return len(ended)

    def end_replies(self, size: int) -> int:
        """End the oldest replies, to free memory; replies of the last second stay, as callers may be reading them.

        Args:
            size: bytes that should become free.

        Returns:
            Number of replies that were ended.
        """
        count, young = 0, self._clock() - _YOUNG_S
        for task, reply in list(self._replies.items()):
            if size <= 0 or reply.began > young:
                break
            count += self._end_reply(task, reply, "memory")
            size -= reply.size
        return count

    def _end_request(self, task: Task, request: _Request, error: ServerError, why: str) -> None:
        if request.ended is None:
            request.ended = error
            cancel_now(task)
            self._observer.transfer_ended("request", why)

    def _end_reply(self, task: Task, reply: _Reply, why: str) -> bool:
        """End the call of a reply; False: it has been ended before."""
        if reply.ended:
            return False
        reply.ended = True
        end_call(task)
        self._observer.transfer_ended("reply", why)
        return True

    def _add(self, task: Task, size: int) -> None:
        held = size * _COPIES + _CALL_BYTES
        self._replies[task] = _Reply(self._clock(), held)
        self._budget.add(Kind.REPLIES, held)

    def _remove(self, task: Task) -> None:
        self._budget.add(Kind.REPLIES, -self._replies.pop(task).size)


def _this_task() -> Task:
    task = asyncio.current_task()
    if task is None:
        raise AssertionError  # calls run in tasks
    return task
