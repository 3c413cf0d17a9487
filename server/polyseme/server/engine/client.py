"""The contract of an engine: texts of token ids go in, vectors come out, wherever it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from polyseme.artifact import Precision
from polyseme.runtime.batches.padded import Ids
from polyseme.runtime.tasks import Task
from polyseme.server.scheduling import NOWHERE, BatchPolicy, Completed, Observer, Origin, Priority


class TextTask(NamedTuple):
    """One text, and what it is run for.

    Attributes:
        ids: its token ids, at least one.
        task: what is wanted of it.
    """

    ids: Ids
    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The texts of one call.

    Attributes:
        texts: at least one.
        priority: which queue they wait in.
        deadline: when their caller stops waiting; seconds of the machine's monotonic clock.
        origin: the call.
        caller: who that is; callers share an engine.
    """

    texts: Sequence[TextTask]
    priority: Priority = Priority.INTERACTIVE
    deadline: float = math.inf
    origin: Origin = NOWHERE
    caller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine says of itself.

    Attributes:
        precision: of weights and arithmetic.
        execution_provider: onnxruntime's name of what computes.
        fell_back: why it does not run where it was wanted; empty where it does.
        runners: how many batches it runs at once.
        policy: how it makes batches.
    """

    precision: Precision
    execution_provider: str
    fell_back: str
    runners: int
    policy: BatchPolicy


class EngineClient(Protocol):
    """Runs the texts of calls, in this process or in another. Used on one event loop."""

    @property
    def info(self) -> EngineInfo:
        """What it is."""

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait."""

    @property
    def queued_texts(self) -> int:
        """Texts that wait."""

    def start(self, observer: Observer) -> None:
        """Begin to run what is submitted, and tell an observer of every batch."""

    def admit(self, priority: Priority, caller: str) -> None:
        """Refuse a caller's work that would not be taken now, before more is done for it.

        Raises:
            QueueFullError: too much waits already.
        """

    async def wait_for_room(self, priority: Priority, caller: str) -> None:
        """Return when work would be admitted: for callers that are to be slowed down rather than refused."""

    async def submit(self, submission: Submission) -> Completed:
        """Run texts. A caller that is cancelled while it waits cancels what has not been begun.

        Raises:
            QueueFullError: too much waits already.
            DeadlineExpiredError: the deadline passed before a text's turn came.
            EngineError: a text could not be run.
        """

    async def close(self) -> None:
        """End: what still waits fails with EngineError."""

    def release(self) -> None:
        """Give back what it holds without having been started."""
