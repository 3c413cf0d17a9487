"""Add up the calls of a run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np
import numpy.typing as npt

from polyseme.cli.load.histogram import Histogram
from polyseme.cli.load.loops import COLUMNS, NOT_SENT
from polyseme.cli.load.shape import LoadShape, Window

LATE_S: Final = 1e-3
"""Seconds after which a call that is sent counts as late: the resolution of a kernel timer, and Python's overhead."""

_OK: Final = 0
_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode} | {NOT_SENT: "NOT_SENT"}

NAMES: Final = frozenset(_NAMES.values())
"""Names of all status codes."""


def name_of(code: int) -> str:
    """Give the name of a status code."""
    return _NAMES.get(code, f"CODE_{code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorUsage:
    """The CPU time and the lateness of one process of the load generator.

    Attributes:
        cpu: share of a core, 0 to 1.
        lag_p99_s: lateness of its event loop, 99th percentile.
        lag_max_s: the same, maximum.
    """

    cpu: float
    lag_p99_s: float
    lag_max_s: float


@dataclass(slots=True)
class Tally:
    """A run's counts and latencies; `window` says what counts.

    Attributes:
        shape: the load that was offered.
        window: the time in which it was offered.
        from_due: latencies of OK replies from when the call was due.
        from_sent: the same from when it was sent.
        refused: latencies of calls that ended otherwise, from when they were sent.
        lateness: seconds from due to sent, of every counted call.
        late: number of calls that were sent LATE_S or more after they were due.
        statuses: number of counted calls by status code.
        details: the first message of each status code.
        received_bytes: bytes of replies to counted calls, without framing.
        ended_s: time at which the last counted call ended.
        in_flight: number of calls without an answer, at the last report.
        unfinished: number of calls that an interruption cut off.
        interrupted_s: time of the interruption; None: there was none.
        generators: usage of each process.
    """

    shape: LoadShape
    window: Window
    from_due: Histogram = field(default_factory=Histogram)
    from_sent: Histogram = field(default_factory=Histogram)
    refused: Histogram = field(default_factory=Histogram)
    lateness: Histogram = field(default_factory=Histogram)
    late: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    details: dict[int, str] = field(default_factory=dict)
    received_bytes: int = 0
    ended_s: float = 0.0
    in_flight: int = 0
    unfinished: int = 0
    interrupted_s: float | None = None
    generators: list[GeneratorUsage] = field(default_factory=list)
    _ok_in_window: int = 0

    def add(self, rows: bytes) -> None:
        """Add calls: float64 bytes, loops.COLUMNS of each."""
        every: npt.NDArray[np.float64] = np.frombuffer(rows).reshape(-1, len(COLUMNS))
        in_window = (every[:, 2] >= self.window.counted_from) & (every[:, 2] < self.window.end)
        self._ok_in_window += int((in_window & (every[:, 3] == _OK)).sum())
        counted = every[every[:, 0] >= self.window.counted_from]
        if not len(counted):
            return
        due, sent, ended, code, size = counted.T
        ok = code == _OK
        self.from_due.add((ended - due)[ok])
        self.from_sent.add((ended - sent)[ok])
        self.refused.add((ended - sent)[~ok])
        self.lateness.add(sent - due)
        self.late += int((sent - due >= LATE_S).sum())
        self.statuses.update(Counter(code.astype(int).tolist()))
        self.received_bytes += int(size.sum())
        self.ended_s = max(self.ended_s, float(ended.max()))

    def add_generator(self, cpu: float, lags_s: Sequence[float]) -> None:
        """Add the usage of a process."""
        p99, worst = np.percentile(lags_s, (99, 100)) if lags_s else (0.0, 0.0)
        self.generators.append(GeneratorUsage(cpu=cpu, lag_p99_s=float(p99), lag_max_s=float(worst)))

    @property
    def calls(self) -> int:
        """The number of counted calls that ended."""
        return self.statuses.total()

    @property
    def seconds(self) -> float:
        """The counted seconds: the window, or until the last call ended where a number of calls ends the run."""
        end = self.window.end if self.interrupted_s is None else min(self.window.end, self.interrupted_s)
        return max(0.0, min(end, self.ended_s if end == float("inf") else end) - self.window.counted_from)

    @property
    def ok_per_s(self) -> float:
        """OK replies a second that arrived in the window, whenever their calls were sent."""
        return self._ok_in_window / self.seconds if self.seconds else 0.0

    @property
    def refused_per_s(self) -> float:
        """Counted calls a second that ended with another status."""
        return (self.calls - self.statuses[_OK]) / self.seconds if self.seconds else 0.0

    def errors(self, allowed: frozenset[str] = frozenset()) -> int:
        """Count calls that ended neither OK nor with an allowed status."""
        return sum(number for code, number in self.statuses.items() if code != _OK and name_of(code) not in allowed)
