"""A reader-writer lock in which neither side starves: readers and writers take turns. Pure: threading alone.

A writer waits for the readers that are inside, and no longer. Readers that come while a writer is inside or waits go in
when it has left, all together, before the next writer. Readers never wait for one another.

Source: Brandenburg & Anderson, "Spin-Based Reader-Writer Synchronization for Multiprocessor Real-Time Systems", 2010,
phase-fair locks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PhaseFairLock:
    """Many readers, or one writer. Not reentrant: a thread that is inside must not come again."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0  # inside
        self._readers_waiting = 0
        self._writing = False
        self._writers_waiting = 0
        self._writes = 0  # that have ended

    @contextmanager
    def read(self) -> Iterator[None]:
        """Be inside together with other readers; waits for one writer at most."""
        with self._changed:
            if self._writing or self._writers_waiting:
                self._readers_waiting += 1
                before = self._writes
                self._changed.wait_for(lambda: self._writes != before)  # the writer that left has counted us in
            else:
                self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Be inside alone; waits for the readers that are inside, and for writers that came before."""
        with self._changed:
            self._writers_waiting += 1
            self._changed.wait_for(lambda: not self._writing and not self._readers)
            self._writers_waiting -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._writes += 1
                # Let in by the writer, not by themselves: the next writer could be faster.
                self._readers, self._readers_waiting = self._readers_waiting, 0
                self._changed.notify_all()
