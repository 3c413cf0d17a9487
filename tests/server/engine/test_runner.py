import asyncio

import pytest

from polyseme.artifact import Artifact
from polyseme.runtime.tasks import PooledVector
from polyseme.server.config import ServerConfig
from polyseme.server.engine.local import LocalEngines
from polyseme.server.engine.runner import Runner
from polyseme.server.engine.watchdog import Watchdog
from polyseme.server.errors import DeadlineExpiredError
from polyseme.server.scheduling import Entry


@pytest.fixture
def engine(tiny_artifact):
    """The real engine; it says how many rows it ran in each run."""
    engine = LocalEngines(ServerConfig(), watchdog=None).load(Artifact.open(tiny_artifact)).engine
    run, engine.ran = engine.run, []

    def counted(variant, batch, *rest):
        engine.ran.append(len(batch.lengths))
        return run(variant, batch, *rest)

    engine.run = counted
    yield engine
    engine.close()


def outcomes(engine, clock, *deadlines):
    async def main():
        entries = [Entry(ids=[2, 7, 3], task=PooledVector(), deadline=deadline) for deadline in deadlines]
        return Runner(engine, Watchdog(0), clock=clock)(entries)

    return [
        "expired" if isinstance(outcome, DeadlineExpiredError) else outcome.shape for outcome in asyncio.run(main())
    ]


def test_a_text_whose_deadline_passed_since_it_was_taken_is_not_run(engine):
    assert outcomes(engine, lambda: 5.0, 9, 5, 9, 4.9) == [(32,), "expired", (32,), "expired"]
    assert engine.ran == [2]


def test_nothing_is_run_where_every_deadline_passed(engine):
    assert outcomes(engine, lambda: 5.0, 1, 2) == ["expired", "expired"]
    assert engine.ran == []


def test_a_deadline_that_passes_while_half_of_the_batch_runs_is_seen(engine):
    """A batch that fails is split; by the time of its second half the deadline has passed."""
    now = iter([1.0, 1.0, 7.0])
    run = engine.run

    def fails_at_first(variant, batch, *rest):
        if len(batch.lengths) == 2:
            raise RuntimeError("Failed to allocate memory for requested buffer")
        return run(variant, batch, *rest)

    engine.run = fails_at_first
    assert outcomes(engine, lambda: next(now), 5, 5) == [(32,), "expired"]
    assert engine.ran == [1]
