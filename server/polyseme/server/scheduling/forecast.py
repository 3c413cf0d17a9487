"""When work will be answered, as recent batches and calls suggest. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

_BATCHES: Final = 16  # that are kept
# How far `off` moves to what a call took. Were both the same, it would be what the mean call takes: many of those let
# in would be late, after most of their texts have run. Tried: 0.02 to 0.1 down, 0.1 to 0.6 up, 1 to 3 at first.
_RISES: Final = 0.5
_FALLS: Final = 0.05
_MOST_OFF: Final = 8.0
_OFF_AT_FIRST: Final = 2.0  # of a server that has just begun, or reloaded: with 1, what it lets in first is late
_MUCH_FASTER: Final = 2.0  # times; a bound at 1 would take the fastest of batches that come alone for the usual ones


class Forecast:
    """Foresees how long tokens take, from the speed of batches, and from how far off it was.

    Batches count that left work waiting behind them. Those are as large as batches get under load; small ones, which
    come alone, would make a GPU look slow. Those count where they show that it has become much faster: a server that
    refuses what would be late may see no others. Medians are taken: after a pause of the whole process, its speed is
    what it was before.

    What comes later is not known, and has its share before what waits already: so under load forecasts are too low.

    Attributes:
        token_s: seconds of a token in a batch of one runner; 0 while unknown.
        off: most answers take at most so many times what is foreseen; at least 1.
    """

    def __init__(self) -> None:
        self._recent = deque[tuple[float, int]](maxlen=_BATCHES)  # seconds of a token, and how many there were
        self.token_s = 0.0
        self._batch_s = 0.0
        self.off = _OFF_AT_FIRST

    def seconds(self, tokens: float) -> float:
        """Give the seconds in which a runner runs so many tokens, the last of them in their batch; 0 while unknown."""
        return self.token_s * tokens + self._batch_s

    def note_batch(self, tokens: int, run_s: float, *, left_work: bool = True) -> None:
        """Count a batch that left work waiting, or was much faster than foreseen."""
        if not left_work and run_s * _MUCH_FASTER >= self.token_s * tokens:
            return
        self._recent.append((run_s / tokens, tokens))
        total = sum([count for _, count in self._recent])
        batches, middle, left = sorted(self._recent), 0, total / 2
        while left > batches[middle][1]:  # to the token that half of all are slower than
            left -= batches[middle][1]
            middle += 1
        self.token_s = batches[middle][0]
        self._batch_s = self.token_s * total / len(self._recent)

    def note_answered(self, expected_s: float, took_s: float) -> None:
        """Count a call that should have been answered after so many seconds; 0: that was not asked."""
        if expected_s:
            off = min(_MOST_OFF, max(1.0, took_s / expected_s))
            self.off += (off - self.off) * (_RISES if off > self.off else _FALLS)

    def note_unanswered(self, expected_s: float, took_s: float) -> None:
        """Count a call that ended without an answer after so long, at least."""
        self.note_answered(expected_s, max(took_s, expected_s * self.off))
