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
        task: what the text is run for.
    """

    ids: Ids
    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The texts of one call.

    Attributes:
        texts: at least one.
        priority: the queue that they wait in.
        deadline: when their caller stops waiting; seconds of the machine's monotonic clock.
        origin: the id of the call, for logs and traces.
        caller: the identity of the caller; callers share an engine.
        refuse_late: whether they are refused where they would be answered too late.
    """

    texts: Sequence[TextTask]
    priority: Priority = Priority.INTERACTIVE
    deadline: float = math.inf
    origin: Origin = NOWHERE
    caller: str = ""
    refuse_late: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """The facts about an engine.

    Attributes:
        precision: the precision of weights and arithmetic.
        execution_provider: onnxruntime's name of the device's code.
        fell_back: why it does not run on the device that was wanted; empty where it does.
        runners: number of batches that it runs at once.
        idle_cores: usable cores of the server's machine that its runs leave idle.
        policy: how it makes batches.
    """

    precision: Precision
    execution_provider: str
    fell_back: str
    runners: int
    idle_cores: int = 0
    policy: BatchPolicy


class EngineClient(Protocol):
    """Runs the texts of calls, in this process or in another. Used on one event loop."""

    @property
    def info(self) -> EngineInfo:
        """The facts about the engine."""

    @property
    def queued_tokens(self) -> int:
        """Number of tokens that wait."""

    @property
    def queued_texts(self) -> int:
        """Number of texts that wait."""

    def start(self, observer: Observer) -> None:
        """Begin to run what is submitted, and tell an observer of every batch."""

    def admit(self, priority: Priority, caller: str, deadline: float = math.inf) -> None:
        """Refuse a caller's work that would not be taken now, or not answered in time, before more is done for it.

        Args:
            priority: which queue it would wait in.
            caller: the identity of the caller.
            deadline: when its caller stops waiting; seconds of the machine's monotonic clock.

        Raises:
            QueueFullError: too much waits already.
        """

    async def wait_for_room(self, priority: Priority, caller: str) -> None:
        """Wait until the queue would take a caller's texts: for callers that are slowed down rather than refused."""

    async def submit(self, submission: Submission) -> Completed:
        """Run texts. Where the awaiting task is cancelled, texts that have not been begun are dropped.

        Raises:
            QueueFullError: too much waits already.
            DeadlineExpiredError: the deadline passed before a text's turn came, or was too near then.
            EngineError: a text could not be run.
        """

    async def close(self) -> None:
        """End; texts that still wait fail with EngineError."""

    def release(self) -> None:
        """Give back memory and threads of an engine that was never started."""
