"""Who waits for whom. Threads are held by events; no test looks at a clock."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from polyseme.runtime.engines.phase_fair_lock import PhaseFairLock

_TOO_LONG = 300  # seconds after which a test that would hang fails


class Condition(threading.Condition):
    """Tells how many threads have begun to wait."""

    def __init__(self):
        super().__init__()
        self.waits = threading.Semaphore(0)

    def wait_for(self, predicate, timeout=None):
        if not predicate():
            self.waits.release()
        return super().wait_for(predicate, timeout)


class Visit:
    """A thread that goes in, says so, and stays until it is sent out."""

    def __init__(self, way_in, name, log):
        self.inside, self._leave = threading.Event(), threading.Event()
        self._way_in, self._name, self._log = way_in, name, log
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()

    def _visit(self):
        with self._way_in():
            self._log.append(f"{self._name} in")
            self.inside.set()
            assert self._leave.wait(_TOO_LONG)
            self._log.append(f"{self._name} out")

    def is_inside(self):
        assert self.inside.wait(_TOO_LONG)
        return self

    def leave(self):
        self._leave.set()
        return self

    def end(self):
        self._leave.set()
        self._thread.join(_TOO_LONG)
        assert not self._thread.is_alive()


@pytest.fixture
def lock():
    lock = PhaseFairLock()
    lock._changed = Condition()
    return lock


@pytest.fixture
def log():
    return []


def waits(lock, way_in, name, log):
    """A visit that has to wait, once it does."""
    visit = Visit(way_in, name, log)
    assert lock._changed.waits.acquire(timeout=_TOO_LONG)
    return visit


def test_readers_are_inside_together(lock, log):
    visits = [Visit(lock.read, f"reader {i}", log).is_inside() for i in range(5)]
    for visit in visits:
        visit.end()
    assert not lock._changed.waits.acquire(blocking=False)


def test_a_writer_waits_for_the_readers_that_are_inside(lock, log):
    readers = [Visit(lock.read, f"reader {i}", log).is_inside() for i in range(2)]
    writer = waits(lock, lock.write, "writer", log)
    for reader in readers:
        assert not writer.inside.is_set()
        reader.end()
    writer.is_inside().end()
    assert log[-1] == "writer out"


def test_a_writer_waits_for_a_writer(lock, log):
    first = Visit(lock.write, "first", log).is_inside()
    second = waits(lock, lock.write, "second", log)
    first.end()
    second.is_inside().end()
    assert log == ["first in", "first out", "second in", "second out"]


def test_a_writer_waits_for_no_reader_that_comes_after_it(lock, log):
    early = Visit(lock.read, "early", log).is_inside()
    writer = waits(lock, lock.write, "writer", log)
    late = waits(lock, lock.read, "late", log)
    early.end()
    writer.is_inside().end()
    late.is_inside().end()
    assert log == ["early in", "early out", "writer in", "writer out", "late in", "late out"]


def test_a_reader_waits_for_one_writer_and_not_for_the_next(lock, log):
    first = Visit(lock.write, "first", log).is_inside()
    second = waits(lock, lock.write, "second", log)
    readers = [waits(lock, lock.read, f"reader {i}", log) for i in range(3)]
    first.end()
    for reader in readers:
        reader.is_inside()  # all of them, together
    assert not second.inside.is_set()
    for reader in readers:
        reader.end()
    second.is_inside().end()


def test_a_reader_that_comes_between_two_writers_waits_for_the_second(lock, log):
    """Else readers who never leave at the same time would keep it out for ever."""
    first = Visit(lock.write, "first", log).is_inside()
    waiting = waits(lock, lock.read, "waiting", log)
    second = waits(lock, lock.write, "second", log)
    first.end()
    waiting.is_inside()
    late = waits(lock, lock.read, "late", log)
    waiting.end()
    second.is_inside().end()
    late.is_inside().end()


@pytest.mark.parametrize("side", ["read", "write"])
def test_whoever_fails_inside_leaves(lock, log, side):
    with pytest.raises(RuntimeError), getattr(lock, side)():
        raise RuntimeError
    Visit(lock.write, "writer", log).is_inside().end()
    Visit(lock.read, "reader", log).is_inside().end()


def test_a_writer_is_alone_whatever_comes(lock):
    """Many turns: what is counted without a lock of its own is never seen to be wrong."""
    readers, writers, wrong = [], [], []

    def visit(number):
        for turn in range(200):
            if (number + turn) % 4:
                with lock.read():
                    readers.append(number)
                    wrong.extend(writers)
                    readers.remove(number)
            else:
                with lock.write():
                    writers.append(number)
                    wrong.extend(readers)
                    wrong.extend(writers[1:])
                    writers.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(visit, range(6), timeout=_TOO_LONG))
    assert wrong == []
