"""Ends calls whose status has been given already, which gRPC's own API for asyncio cannot.

A reply that its caller does not take stays in gRPC's core until the call ends, and a status would wait behind it. gRPC
runs a call in two tasks: one holds the call and waits for its end; it has begun the other, which runs the method. A
call that both have let go of is cancelled by the core, which drops the reply.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from typing import Any


class ChildTask(asyncio.Task[Any]):
    """A task that knows which task began it.

    Attributes:
        parent: gives that task; None once it is gone.
    """

    parent: Callable[[], asyncio.Task[Any] | None]


def know_parents(loop: asyncio.AbstractEventLoop) -> None:
    """Have the tasks of a loop know which task began them."""
    loop.set_task_factory(_child)  # type: ignore[arg-type]


def end_call(task: asyncio.Task[Any]) -> None:
    """End the call whose method a task runs."""
    parent = task.parent() if isinstance(task, ChildTask) else None
    if parent is not None:
        parent.cancel()
    task.cancel()


def _child(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> Any:  # noqa: ANN401
    task = ChildTask(coro, loop=loop, **options)
    parent = asyncio.current_task(loop)
    task.parent = _nobody if parent is None else weakref.ref(parent)
    return task


def _nobody() -> None:
    """Give no task."""
