"""How load is offered: by callers that wait for each answer, or by a schedule that waits for nobody. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

Spacing = Literal["poisson", "constant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A closed loop: each caller sends its next call when its last has ended.

    Attributes:
        concurrency: callers.
    """

    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An open loop: calls start when the schedule says, however many are unanswered.

    Attributes:
        rate: calls a second, of all processes together.
        spacing: exponential gaps (as independent callers make them), or equal ones.
        most_in_flight: beyond it a call waits to be sent, and is late.
        seed: of the gaps.
        part: which of `parts` interleaved schedules this is.
        parts: of how many.
    """

    rate: float
    spacing: Spacing = "poisson"
    most_in_flight: int = 2048
    seed: int = 0
    part: int = 0
    parts: int = 1


Shape = Closed | Open


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When to offer load, in seconds of the monotonic clock, which all processes of a machine share.

    Attributes:
        start: of the warm-up.
        counted_from: what is due earlier warms up, and is not counted.
        end: no call starts then or later; infinite where `calls` ends it.
        calls: no more than so many counted calls.
    """

    start: float
    counted_from: float
    end: float = float("inf")
    calls: int | None = None


def share(number: int, part: int, parts: int) -> int:
    """Give the part of a number: parts differ by one at most, and add up."""
    return number // parts + (part < number % parts)


def split(shape: Shape, part: int, parts: int) -> Shape:
    """Give what one of several processes has to offer; together they offer the whole."""
    if isinstance(shape, Closed):
        return Closed(concurrency=share(shape.concurrency, part, parts))
    most = max(1, share(shape.most_in_flight, part, parts))
    return replace(shape, most_in_flight=most, part=part, parts=parts)


def arrivals(shape: Open, window: Window) -> Iterator[float]:
    """Give the times at which calls are due, ascending, from the window's start to its end."""
    counted = 0
    for due in _poisson(shape, window.start) if shape.spacing == "poisson" else _constant(shape, window.start):
        if due >= window.counted_from:
            if due >= window.end or counted == window.calls:
                return
            counted += 1
        yield due


def _constant(shape: Open, start: float) -> Iterator[float]:
    for number in count():
        yield start + (number * shape.parts + shape.part) / shape.rate


def _poisson(shape: Open, start: float) -> Iterator[float]:
    # Independent Poisson processes of a part of the rate add up to one of the whole.
    gaps = random.Random(f"{shape.seed}/{shape.part}")  # noqa: S311
    due = start
    while True:
        due += gaps.expovariate(shape.rate / shape.parts)
        yield due
