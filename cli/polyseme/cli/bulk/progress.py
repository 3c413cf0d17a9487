"""Show the progress of a long run on stderr: one line that changes on a terminal, elsewhere a new one every 10 s."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

LINE_EVERY_S: Final = 10.0
DRAW_EVERY_S: Final = 0.2


class Progress:
    """Shows how many rows are done.

    Args of the constructor: number of rows in all; of those that an earlier run did; whether to show anything; a clock
    in seconds.
    """

    def __init__(self, total: int, done: int, *, show: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._show, self._total, self._clock = show, total, clock
        self._earlier = self._rows = done
        self._began = clock()
        self._on_terminal = sys.stderr.isatty()
        self._every = DRAW_EVERY_S if self._on_terminal else LINE_EVERY_S
        self._next = self._began + self._every

    def advance(self) -> None:
        """Count one row."""
        self._rows += 1
        if self._show and (now := self._clock()) >= self._next:
            self._next = now + self._every
            self._print(f"\r\x1b[2K{self.line()}" if self._on_terminal else f"{self.line()}\n")

    def close(self) -> None:
        """Clear the line on a terminal."""
        if self._show and self._on_terminal:
            self._print("\r\x1b[2K")

    def line(self) -> str:
        """Describe the progress: rows, rate, time left."""
        rate = self._rate()
        left = max(0, round((self._total - self._rows) / rate)) if rate else 0
        share = self._rows / max(self._total, self._rows, 1)
        return (
            f"{self._rows:,} of {self._total:,} rows ({share:.1%}), {rate:,.0f} rows/s, "
            f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
        )

    def summary(self) -> str:
        """Describe the run when it has ended: its rows, seconds, rate."""
        seconds = self._clock() - self._began
        return f"{self._rows - self._earlier:,} rows in {seconds:,.1f} s, {self._rate():,.0f} rows/s"

    def _rate(self) -> float:
        return (self._rows - self._earlier) / max(self._clock() - self._began, 1e-9)

    def _print(self, text: str) -> None:
        print(text, end="", file=sys.stderr, flush=True)
