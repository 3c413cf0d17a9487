"""How late texts are run: the time between a deadline and the run of its text, of every batch in a server here."""

import threading
import time
from contextlib import contextmanager

from polyseme.server.engine.runner import Runner


class Lateness:
    """What was run.

    Attributes:
        texts: how many.
        late_s: seconds after its deadline, of each text that was run after it.
    """

    def __init__(self, clock):
        self._clock = clock
        self.texts = 0
        self.late_s = []

    def note(self, deadlines):
        now = self._clock()
        self.texts += len(deadlines)
        self.late_s += [now - deadline for deadline in deadlines if deadline < now]


@contextmanager
def lateness(server, clock=time.monotonic):
    """Gives what is noted while the block runs. A server is given no deadline's fate from outside: hence the patch."""
    noted, current, healthy = Lateness(clock), threading.local(), Runner._run

    def run_entries(self, entries, **alone):
        current.deadlines = [entry.deadline for entry in entries]
        return healthy(self, entries, **alone)

    def note(run, *batch):
        noted.note(current.deadlines)
        return run(*batch)

    Runner._run = run_entries
    try:
        with server.faults.put(note):
            yield noted
    finally:
        Runner._run = healthy
