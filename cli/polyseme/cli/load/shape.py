"""The shapes of load: callers that wait for each answer, or a schedule that waits for nobody. Pure."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Spacing: TypeAlias = Literal["poisson", "constant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoop:
    """A closed loop: each caller sends its next call when its last has ended.

    Attributes:
        concurrency: number of callers.
    """

    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoop:
    """An open loop: calls start when the schedule says, however many are unanswered.

    Attributes:
        rate: calls a second, of all processes together.
        spacing: exponential gaps between calls (as independent callers make them), or equal gaps.
        max_in_flight: number of unanswered calls beyond which a call waits to be sent, and is late.
        seed: seed of the random gaps.
        process: index of this process, from 0; each has one of `processes` interleaved schedules.
        processes: number of processes.
    """

    rate: float
    spacing: Spacing = "poisson"
    max_in_flight: int = 2048
    seed: int = 0
    process: int = 0
    processes: int = 1


LoadShape: TypeAlias = ClosedLoop | OpenLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time in which load is offered, in seconds of the monotonic clock, which all processes of a machine share.

    Attributes:
        start: start of the warm-up.
        counted_from: end of the warm-up; calls that are due earlier are not counted.
        end: no call starts then or later; infinite where `calls` ends the run.
        calls: limit of counted calls; None: no limit.
    """

    start: float
    counted_from: float
    end: float = float("inf")
    calls: int | None = None


def share(number: int, index: int, count: int) -> int:
    """Divide a number into `count` shares, and give share `index`: shares differ by 1 at most, and add up."""
    return number // count + (index < number % count)


def split(shape: LoadShape, index: int, count: int) -> LoadShape:
    """Give the load of process `index` of `count`; together they offer the whole."""
    if isinstance(shape, ClosedLoop):
        return ClosedLoop(concurrency=share(shape.concurrency, index, count))
    limit = max(1, share(shape.max_in_flight, index, count))
    return replace(shape, max_in_flight=limit, process=index, processes=count)


def arrivals(shape: OpenLoop, window: Window) -> Iterator[float]:
    """Give the times at which calls are due, ascending, from the window's start to its end."""
    counted = 0
    for due in _poisson(shape, window.start) if shape.spacing == "poisson" else _constant(shape, window.start):
        if due >= window.counted_from:
            if due >= window.end or counted == window.calls:
                return
            counted += 1
        yield due


def _constant(shape: OpenLoop, start: float) -> Iterator[float]:
    for number in itertools.count():
        yield start + (number * shape.processes + shape.process) / shape.rate


def _poisson(shape: OpenLoop, start: float) -> Iterator[float]:
    # Independent Poisson processes, each of a share of the rate, add up to one of the whole rate.
    gaps = random.Random(f"{shape.seed}/{shape.process}")  # noqa: S311
    due = start
    while True:
        due += gaps.expovariate(shape.rate / shape.processes)
        yield due
