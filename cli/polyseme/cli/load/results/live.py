"""Show the progress of a run in one line; nothing where stderr is no terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from polyseme.cli.load.tally import Tally

if TYPE_CHECKING:
    from rich.live import Live

_RATE_OVER_S: Final = 2.0


class Progress:
    """Shows a tally on stderr."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._recent: deque[tuple[float, int]] = deque()
        self._shown: Tally | None = None

    def __enter__(self) -> Self:
        """Begin to draw, if stderr is a terminal."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=5, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the line."""
        if self._live is not None:
            self._live.stop()

    def show(self, tally: Tally) -> None:
        """Draw the current state."""
        if self._live is None:
            return
        if tally is not self._shown:
            self._shown = tally
            self._recent.clear()
        now = time.monotonic()
        self._recent.append((now, tally.calls))
        while now - self._recent[0][0] > _RATE_OVER_S and len(self._recent) > 2:
            self._recent.popleft()
        self._live.update(line(tally, now, self._rate()))

    def _rate(self) -> float:
        (then, before), (now, calls) = self._recent[0], self._recent[-1]
        return (calls - before) / (now - then) if now > then else 0.0


def line(tally: Tally, now: float, rate: float) -> str:
    """Describe a run at a time, with its rate over the last seconds."""
    counted_from, end = tally.window.counted_from, tally.window.end
    if now < counted_from:
        return f"warming up {counted_from - now:4.1f} s   {tally.in_flight} in flight"
    of = f"/{end - counted_from:.0f}" if end != float("inf") else ""
    phase = "waiting for the last" if now > end else f"{now - counted_from:5.1f}{of} s"
    p50, p99 = tally.from_due.percentiles_s((50, 99))
    return (
        f"{phase}   {rate:7.1f} calls/s   {tally.in_flight} in flight   p50 {p50 * 1e3:.1f} ms   "
        f"p99 {p99 * 1e3:.1f} ms   {tally.errors()} not OK"
    )
