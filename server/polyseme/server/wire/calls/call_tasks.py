"""Ends calls, and lets gRPC finish what it has begun for them, as gRPC's own API for asyncio cannot.

A reply that its caller does not take stays in gRPC's core until the call ends, and a status would wait behind it. gRPC
runs a call in two tasks: one holds the call and waits for its end; it has begun the other, which runs the method. A
call that both have let go of is cancelled by the core, which drops the reply.

grpcio never frees the operation of a read or a write whose task is cancelled meanwhile, 96 bytes and more
(github.com/grpc/grpc/issues/43360). Where a caller has left, the core ends the operation too, at once. So a task is
cancelled after that, and not before.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_FINISH_S: Final = 0.1
"""Seconds for an operation to finish once its task is cancelled: one that waits for a caller would hold the call."""


class CallTask(asyncio.Task[Any]):
    """A task that knows which task began it, and is not cancelled in the midst of an operation of gRPC.

    Attributes:
        parent: gives that task; None once it is gone.
    """

    parent: Callable[[], asyncio.Task[Any] | None]
    _in_operation = False
    _cancels = 0  # that wait for the operation
    _limit: asyncio.TimerHandle | None = None

    def cancel(self, msg: Any | None = None) -> bool:  # noqa: ANN401
        """Cancel the task, once the operation of gRPC that it waits for has finished; False: it is done already."""
        if not self._in_operation:
            return super().cancel(msg)
        self._cancels += 1
        if self._limit is None:
            self._limit = self.get_loop().call_later(_FINISH_S, self._cancel)
        return True

    def cancel_now(self) -> None:
        """Cancel the task in the midst of an operation too."""
        self._cancels += 1
        self._cancel()

    async def finish(self, operation: Awaitable[T]) -> T:
        """Wait in this task for an operation of gRPC; where it is cancelled meanwhile, it ends after the operation."""
        self._in_operation = True
        try:
            return await operation
        finally:
            self._in_operation = False
            if self._cancels:
                self._cancel()
                await asyncio.sleep(0)  # the task ends here

    def _cancel(self) -> None:
        """Do what `cancel` put off, as often as it was asked to: task groups count."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        for _ in range(self._cancels):
            super().cancel()
        self._cancels = 0


def use_call_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Have a loop make its tasks of this kind."""
    loop.set_task_factory(_begun)  # type: ignore[arg-type]


async def finished(task: asyncio.Task[Any], operation: Awaitable[T]) -> T:
    """Wait in a task, the one that runs, for an operation of gRPC, as `CallTask.finish` does."""
    return await (task.finish(operation) if isinstance(task, CallTask) else operation)


def cancel_now(task: asyncio.Task[Any]) -> None:
    """Cancel a task; an operation of gRPC that it waits for need not finish."""
    if isinstance(task, CallTask):
        task.cancel_now()
    else:
        task.cancel()


def end_call(task: asyncio.Task[Any]) -> None:
    """End the call whose method a task runs."""
    parent = task.parent() if isinstance(task, CallTask) else None
    if parent is not None:
        cancel_now(parent)
    cancel_now(task)


def _begun(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> Any:  # noqa: ANN401
    task = CallTask(coro, loop=loop, **options)
    parent = asyncio.current_task(loop)
    task.parent = _nobody if parent is None else weakref.ref(parent)
    return task


def _nobody() -> None:
    """Give no task."""
