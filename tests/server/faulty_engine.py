"""A real engine whose batches pass through a fault that a test puts in: held, counted, poisoned or refused."""

import threading
from contextlib import contextmanager

from polyseme.server.engine.local import LocalEngines

PATIENCE_S = 300


class Faults:
    """What happens to batches. Without one in place the engine runs as it is.

    A fault is called as `fault(run, graph, batch, *rest)`. `run(graph, batch, *rest)` runs the batch; what the fault
    gives stands for what the engine gave.
    """

    def __init__(self):
        self._fault = None

    def __call__(self, run, *batch):
        fault = self._fault  # what a batch began with stays
        return fault(run, *batch) if fault else run(*batch)

    @contextmanager
    def put(self, fault):
        """All batches that begin inside pass through the fault."""
        assert self._fault is None, "one at a time"
        self._fault = fault
        try:
            yield
        finally:
            self._fault = None

    @contextmanager
    def counted(self):
        """Gives a list that gets the lengths of each batch: of those that began."""
        runs = []

        def count(run, graph, batch, *rest):
            runs.append(lengths_of(batch))
            return run(graph, batch, *rest)

        with self.put(count):
            yield runs

    @contextmanager
    def held(self):
        """Every batch waits at a gate, which opens at the end of the block or before."""
        hold = Hold()
        try:
            with self.put(hold):
                yield hold
        finally:
            hold.gate.set()


class Hold:
    """Batches that wait.

    Attributes:
        gate: set it to let them go.
        runs: the lengths of each batch that stands there or has passed.
    """

    def __init__(self):
        self.gate = threading.Event()
        self.runs = []
        self._begun = threading.Semaphore(0)

    def __call__(self, run, graph, batch, *rest):
        self.runs.append(lengths_of(batch))
        self._begun.release()
        assert self.gate.wait(PATIENCE_S)
        return run(graph, batch, *rest)

    def wait_for_a_batch(self):
        """Return when one more stands at the gate."""
        assert self._begun.acquire(timeout=PATIENCE_S)


class FaultyEngine:
    """An Engine between the runner and the real one."""

    def __init__(self, engine, faults):
        self._engine = engine
        self._faults = faults

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def run(self, graph, batch, *rest):
        return self._faults(self._engine.run, graph, batch, *rest)


class FaultyEngines(LocalEngines):
    """Makes the engines of this process; their batches pass through `faults`."""

    def __init__(self, config, watchdog):
        super().__init__(config, watchdog)
        self.faults = Faults()

    def runner_of(self, engine):
        return super().runner_of(FaultyEngine(engine, self.faults))


def lengths_of(batch):
    return batch.lengths.tolist()
