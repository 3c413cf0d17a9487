"""Run a batch on an engine: collate, run the graph, withhold what is not finite, hand out the vectors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from polyseme.runtime.engines.base import Engine
from polyseme.runtime.errors import DeviceLostError
from polyseme.server.engine.watchdog import Watchdog
from polyseme.server.errors import DeadlineExpiredError, EngineError, NotFiniteError
from polyseme.server.observe.exceptions import redacted
from polyseme.server.scheduling import Entry, Outcome

log = logging.getLogger(__name__)


class Runner:
    """Runs batches on an engine. Thread-safe."""

    def __init__(self, engine: Engine, watchdog: Watchdog, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._watchdog = watchdog
        self._clock = clock  # deadlines are on this clock

    def __call__(self, entries: Sequence[Entry], *, alone: bool = False) -> list[Outcome]:
        """Run entries whose tasks have one batch key; gives one outcome per entry, in order.

        A batch that fails is split until the text that breaks it stands alone: its batch-mates are answered.
        """
        try:
            with self._watchdog.running():
                return self._run(entries, alone=alone)
        except DeviceLostError:  # half of it would be lost too
            raise
        except Exception as error:
            if len(entries) == 1:
                log.exception(
                    "request %s: a text of %d tokens cannot be run",
                    entries[0].origin.request_id,
                    entries[0].tokens,
                    exc_info=redacted(error),
                )
                failure = EngineError("the model could not be run")
                failure.__cause__ = error
                return [failure]
            log.warning("a batch of %d texts failed (%s): split in two", len(entries), type(error).__name__)
            return self._in_two(entries)

    def _in_two(self, entries: Sequence[Entry]) -> list[Outcome]:
        middle = len(entries) // 2
        return [*self(entries[:middle]), *self(entries[middle:])]

    def _run(self, entries: Sequence[Entry], *, alone: bool = False) -> list[Outcome]:
        tasks = type(entries[0].task).batch([entry.task for entry in entries])
        if len(entries) > 1 and tasks.is_too_large:
            return self._in_two(entries)
        batch = self._engine.collate([entry.ids for entry in entries])
        now = self._clock()
        if min([entry.deadline for entry in entries]) <= now:
            return self._without_expired(entries, now)
        arrays = self._engine.run(tasks.graph, batch, tasks.outputs, tasks.selection(batch.starts), alone)
        shares = tasks.split(dict(zip(tasks.outputs, arrays, strict=True)))
        return [
            self._not_finite(entry) if share is None else share for entry, share in zip(entries, shares, strict=True)
        ]

    def _without_expired(self, entries: Sequence[Entry], now: float) -> list[Outcome]:
        """Run those whose deadline has not passed since they were taken, or while other parts of their batch ran."""
        left = [entry for entry in entries if entry.deadline > now]
        outcomes = iter(self._run(left) if left else ())
        return [
            next(outcomes) if entry.deadline > now else DeadlineExpiredError("deadline passed before its batch was run")
            for entry in entries
        ]

    def _not_finite(self, entry: Entry) -> Outcome:
        """Run a text again in float32 where its float16 overflowed; give an error where float32 is not finite."""
        if not entry.task.half:
            return NotFiniteError("the model's output is not finite")
        return self([replace(entry, task=entry.task.in_full())])[0]
