"""An engine that takes time and no CPU, as a GPU: the house's scheduler over runs that sleep and give a fixed vector.

A batch takes 2 ms, so batches form as they would on a card; everything around the run is real.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from polyseme.artifact import Artifact, Precision
from polyseme.server.config import ServerConfig
from polyseme.server.engine.client import EngineInfo, Submission
from polyseme.server.engine.watchdog import Watchdog
from polyseme.server.scheduling import BatchPolicy, Completed, Entry, Observer, Priority, Scheduler
from polyseme.server.scheduling.scheduler import Outcome

RUN_S: Final = 0.002
LANES: Final = 2
POLICY: Final = BatchPolicy(max_batch_tokens=16_384, max_batch_texts=128, max_queue_tokens=1 << 20, min_fill=0.0)
INFO: Final = EngineInfo(
    precision=Precision.FP32, execution_provider="Stub", fell_back="", runners=LANES, policy=POLICY
)


def entries(submission: Submission) -> list[Entry]:
    """The texts of a call as a scheduler takes them."""
    return [
        Entry(
            ids=ids,
            task=task,
            priority=submission.priority,
            deadline=submission.deadline,
            caller=submission.caller,
            origin=submission.origin,
        )
        for ids, task in submission.texts
    ]


class StubEngines:
    """Makes stub engines; see `lifecycle.models.Engines`."""

    def __init__(self, config: ServerConfig, watchdog: Watchdog) -> None:
        """Need neither."""

    def load(self, artifact: Artifact) -> StubEngine:
        """Make one that gives vectors as wide as the model's."""
        return StubEngine(artifact.manifest.model.embedding.dimensions)

    async def close(self) -> None:
        """Nothing is shared."""


class StubEngine:
    """An EngineClient over a scheduler whose runs compute nothing."""

    def __init__(self, dimensions: int) -> None:
        self.info = INFO
        self.scheduler: Scheduler  # after `start`
        self._vector = np.full(dimensions, dimensions**-0.5, np.float32)

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait."""
        return self.scheduler.queued_tokens

    @property
    def queued_texts(self) -> int:
        """Texts that wait."""
        return self.scheduler.queued_texts

    def start(self, observer: Observer) -> None:
        """Start the runners."""
        self.scheduler = Scheduler(POLICY, self._run, runners=LANES, observer=observer)

    def admit(self, priority: Priority, caller: str, deadline: float = math.inf) -> None:
        """Refuse work that would not be taken now, or not answered in time."""
        self.scheduler.admit(priority, caller, deadline)

    async def wait_for_room(self, priority: Priority, caller: str) -> None:
        """Return when work would be admitted."""
        await self.scheduler.wait_for_room(priority, caller)

    async def submit(self, submission: Submission) -> Completed:
        """Run texts; see `EngineClient`."""
        return await self.scheduler.submit(entries(submission), refuse_late=submission.refuse_late)

    async def close(self) -> None:
        """Stop the runners."""
        await self.scheduler.close()

    def release(self) -> None:
        """Hold nothing."""

    def _run(self, batch: Sequence[Entry], *, alone: bool) -> list[Outcome]:
        time.sleep(RUN_S)
        return [self._vector] * len(batch)
