"""One text that waits to be run."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from polyseme.runtime.batches.padded import Ids
from polyseme.runtime.tasks import Task


class Priority(IntEnum):
    """The queues that texts wait in; the lower is served first."""

    INTERACTIVE = 0
    BULK = 1


class Origin(NamedTuple):
    """The call that a text is of, as logs and traces name it. Nothing is decided by it.

    Attributes:
        request_id: the call's id; empty: none.
        traceparent: the call's span, as W3C Trace Context writes it; empty: it is not traced.
    """

    request_id: str = ""
    traceparent: str = ""


NOWHERE: Final = Origin()
"""The origin of texts that no call has sent."""


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """One text of one call. Compared by identity.

    Attributes:
        ids: its token ids.
        task: what it is run for; the scheduler reads its batch key alone.
        priority: which queue it waits in.
        arrived: when it was queued, in seconds of the scheduler's clock.
        deadline: when its caller stops waiting, on the same clock.
        origin: the call that it is of.
        caller: for whom it is run; callers share.
        owner: where its result goes; the backlog does not read it.
        position: which text of its owner it is.
        call_tokens: tokens of all texts that were queued with it, its own included.
        batch_key: texts of equal keys may share a batch.
        started: when its batch was begun.
        bucket: the backlog's: where it lies.
        place: the backlog's: its caller among those that wait.
        tokens: its length.
    """

    ids: Ids
    task: Task
    priority: Priority = Priority.INTERACTIVE
    arrived: float = 0.0
    deadline: float = math.inf
    origin: Origin = NOWHERE
    caller: str = ""
    owner: Any = None
    position: int = 0
    call_tokens: int = 0
    batch_key: Hashable = field(init=False)
    started: float = field(default=0.0, init=False)
    bucket: Any = field(default=None, init=False)
    place: Any = field(default=None, init=False)
    tokens: int = field(init=False)

    def __post_init__(self) -> None:
        self.batch_key, self.tokens = self.task.batch_key, len(self.ids)
