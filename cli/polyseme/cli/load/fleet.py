"""The processes that offer load, seen from the one that started them."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from polyseme.cli.errors import CliError
from polyseme.cli.load.caller import Calls
from polyseme.cli.load.shape import Shape, Window, share, split
from polyseme.cli.load.tally import Tally
from polyseme.cli.load.worker import CUT_SHORT, READY, Done, Seen, work

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_READY_S: Final = 60.0
_AHEAD_S: Final = 0.1
_TICK_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a run is.

    Attributes:
        warm_up_s: of load that is not counted.
        duration_s: of load that is; None where `calls` ends it.
        calls: counted calls; None where `duration_s` ends it.
    """

    warm_up_s: float
    duration_s: float | None
    calls: int | None = None


class Fleet:
    """So many processes with so many connections between them, connected and ready.

    Raises:
        CliError: a process does not get ready, or ends before its time.
    """

    def __init__(self, calls: Calls, *, connections: int, processes: int) -> None:
        self._pipes: list[Connection] = []
        self._processes: list[SpawnProcess] = []
        context = multiprocessing.get_context("spawn")
        with _deaf_to_ctrl_c():
            for part in range(processes):
                ours, theirs = context.Pipe()
                arguments = (theirs, calls, share(connections, part, processes), part, processes)
                process = context.Process(target=work, args=arguments, daemon=True)
                process.start()
                theirs.close()
                self._pipes.append(ours)
                self._processes.append(process)

    def __enter__(self) -> Self:
        """Wait until all are connected."""
        try:
            ready = all(pipe.poll(_READY_S) and pipe.recv() == READY for pipe in self._pipes)
        except (EOFError, OSError):
            ready = False
        except BaseException:
            self.__exit__(None, None, None)
            raise
        if not ready:
            self.__exit__(None, None, None)
            raise CliError(f"a process of the load generator ended, or was not ready within {_READY_S:.0f} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them."""
        for pipe in self._pipes:
            pipe.close()  # which they take as the end
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.terminate()
                process.join()

    def run(self, shape: Shape, timing: Timing, on_progress: Callable[[Tally], None]) -> Tally:
        """Offer load, and wait until every call has ended; Ctrl-C cuts it short, and is no error."""
        parts = len(self._pipes)
        start = time.monotonic() + _AHEAD_S
        counted_from = start + timing.warm_up_s
        end = float("inf") if timing.duration_s is None else counted_from + timing.duration_s
        tally = Tally(shape, Window(start=start, counted_from=counted_from, end=end, calls=timing.calls))
        for part, pipe in enumerate(self._pipes):
            calls = None if timing.calls is None else share(timing.calls, part, parts)
            pipe.send((split(shape, part, parts), Window(start=start, counted_from=counted_from, end=end, calls=calls)))
        left, in_flight = list(self._pipes), dict.fromkeys(self._pipes, 0)
        while left:
            try:
                for ready in wait(left, _TICK_S):
                    pipe = next(each for each in left if each is ready)
                    if self._received(pipe, tally, in_flight):
                        left.remove(pipe)
                on_progress(tally)
            except KeyboardInterrupt:
                if tally.interrupted_s is not None:
                    raise
                tally.interrupted_s = time.monotonic()
                for pipe in left:
                    pipe.send(CUT_SHORT)
        return tally

    def _received(self, pipe: Connection, tally: Tally, in_flight: dict[Connection, int]) -> bool:
        """Take one report; whether it was the last of the run."""
        try:
            report: Seen | Done = pipe.recv()
        except (EOFError, OSError):
            raise CliError("a load generator's process ended before its time") from None
        if isinstance(report, Seen):
            in_flight[pipe] = report.in_flight
            tally.in_flight = sum(in_flight.values())
            tally.add(report.rows)
            return False
        tally.unfinished += report.unfinished
        tally.add_generator(report.cpu, report.lags_s)
        tally.details = report.details | tally.details
        return True


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Start processes that ignore Ctrl-C: a terminal sends it to all of them, and the parent passes it on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
