"""What a promise was shown by: how many tries, how many failed, a figure and its bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

QUIET_CORES: Final = 0.2  # that others may keep busy where figures of latencies are judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One row of the table.

    Attributes:
        what: what was tried; a promise may have several.
        tries: how often; failed: how many of them did not go as promised.
        figure: what was measured beside; bound: what it may be at most, or at least.
        within: whether the figure is within its bound.
        timed: the figure is of latencies, which say nothing on a machine with other work.
    """

    what: str
    tries: int
    failed: int
    figure: str = ""
    bound: str = ""
    within: bool = True
    timed: bool = False

    def verdict(self, others_cores: float) -> str:
        """Held, broken, or not judged where other work spoilt a figure of latencies."""
        if self.failed or not self.tries:
            return "broken"
        if self.timed and others_cores > QUIET_CORES:
            return "not judged: machine busy"
        return "held" if self.within else "broken"
