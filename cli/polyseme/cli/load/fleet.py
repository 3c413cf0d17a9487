"""Start and run the processes that offer load."""

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
from polyseme.cli.load.caller import CallSpec
from polyseme.cli.load.shape import LoadShape, Window, share, split
from polyseme.cli.load.tally import Tally
from polyseme.cli.load.worker import INTERRUPT, READY, NewSamples, RunSummary, work

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_READY_S: Final = 60.0
_AHEAD_S: Final = 0.1
_TICK_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The length of a run.

    Attributes:
        warm_up_s: seconds of load that is not counted.
        duration_s: seconds of load that is counted; None: `calls` ends the run.
        calls: number of counted calls; None: `duration_s` ends the run.
    """

    warm_up_s: float
    duration_s: float | None
    calls: int | None = None


class Fleet:
    """A number of processes that share a number of connections, connected and ready.

    Raises:
        CliError: a process is not ready in time, or ends too early.
    """

    def __init__(self, spec: CallSpec, *, connections: int, processes: int) -> None:
        self._pipes: list[Connection] = []
        self._processes: list[SpawnProcess] = []
        context = multiprocessing.get_context("spawn")
        with _ignoring_ctrl_c():
            for index in range(processes):
                ours, theirs = context.Pipe()
                arguments = (theirs, spec, share(connections, index, processes), index, processes)
                process = context.Process(target=work, args=arguments, daemon=True)
                process.start()
                theirs.close()
                self._pipes.append(ours)
                self._processes.append(process)

    def __enter__(self) -> Self:
        """Wait until all processes are connected."""
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
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()  # tells the process to end
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.terminate()
                process.join()

    def run(self, shape: LoadShape, timing: Timing, on_progress: Callable[[Tally], None]) -> Tally:
        """Offer load, and wait until every call has ended; Ctrl-C ends the run early, and is no error."""
        count = len(self._pipes)
        start = time.monotonic() + _AHEAD_S
        counted_from = start + timing.warm_up_s
        end = float("inf") if timing.duration_s is None else counted_from + timing.duration_s
        tally = Tally(shape, Window(start=start, counted_from=counted_from, end=end, calls=timing.calls))
        for index, pipe in enumerate(self._pipes):
            calls = None if timing.calls is None else share(timing.calls, index, count)
            pipe.send(
                (split(shape, index, count), Window(start=start, counted_from=counted_from, end=end, calls=calls))
            )
        left, in_flight = list(self._pipes), dict.fromkeys(self._pipes, 0)
        while left:
            try:
                for ready in wait(left, _TICK_S):
                    pipe = next(each for each in left if each is ready)
                    if self._receive_report(pipe, tally, in_flight):
                        left.remove(pipe)
                on_progress(tally)
            except KeyboardInterrupt:
                if tally.interrupted_s is not None:
                    raise
                tally.interrupted_s = time.monotonic()
                for pipe in left:
                    pipe.send(INTERRUPT)
        return tally

    def _receive_report(self, pipe: Connection, tally: Tally, in_flight: dict[Connection, int]) -> bool:
        """Receive one report; say whether it was the last of the run."""
        try:
            report: NewSamples | RunSummary = pipe.recv()
        except (EOFError, OSError):
            raise CliError("a process of the load generator ended too early") from None
        if isinstance(report, NewSamples):
            in_flight[pipe] = report.in_flight
            tally.in_flight = sum(in_flight.values())
            tally.add(report.rows)
            return False
        tally.unfinished += report.unfinished
        tally.add_generator(report.cpu, report.lags_s)
        tally.details = report.details | tally.details
        return True


@contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Start processes that ignore Ctrl-C: a terminal sends it to all of them, and the parent passes it on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
