"""Count latencies in bounded memory, to three significant digits. Pure.

The buckets are those of HdrHistogram: powers of two, each divided into 1,024 equal buckets. Its Python package is not
used: it has no wheel for Linux on ARM, needs setuptools at run time, and takes 45 ms for a percentile. numpy, which the
client needs anyway, does the same with whole arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

_BUCKETS: Final = 1024  # of each power of two
_POWERS: Final = 42  # 2^42 us: 51 days
_US: Final = 1e6

FloatArray: TypeAlias = npt.NDArray[np.float64]


class Histogram:
    """Counts of durations: resolution 1 us below 1 ms, 0.1 % above.

    Attributes:
        count: number of durations.
        max_s: the longest, in seconds.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS * _POWERS, np.int64)
        self._sum_s = 0.0
        self.count = 0
        self.max_s = 0.0

    def add(self, seconds: FloatArray) -> None:
        """Count durations, [N] in seconds; a negative one, which comes from a clock's resolution, counts as 0."""
        if not len(seconds):
            return
        seconds = np.maximum(seconds, 0)
        self._counts += np.bincount(_bucket(seconds), minlength=len(self._counts))
        self._sum_s += float(seconds.sum())
        self.count += len(seconds)
        self.max_s = max(self.max_s, float(seconds.max()))

    @property
    def mean_s(self) -> float:
        """The exact mean in seconds; nan without durations."""
        return self._sum_s / self.count if self.count else math.nan

    def percentiles_s(self, percents: Sequence[float]) -> list[float]:
        """Give the durations in seconds that these percentages do not exceed; nan without durations."""
        if not self.count:
            return [math.nan] * len(percents)
        ranks = [min(self.count, max(1, math.ceil(self.count * percent / 100 - 1e-9))) for percent in percents]
        buckets = np.searchsorted(np.cumsum(self._counts), ranks)
        return [min(float(end), self.max_s) for end in _end_s(buckets)]

    def to_json(self) -> list[tuple[float, int]]:
        """Give [end of bucket in ms, count] for every bucket that is not empty, ascending."""
        buckets = np.flatnonzero(self._counts)
        ends = _end_s(buckets)
        return [
            (round(float(end) * 1e3, 6), int(number)) for end, number in zip(ends, self._counts[buckets], strict=True)
        ]


def _bucket(seconds: FloatArray) -> npt.NDArray[np.int64]:
    us = np.minimum(seconds * _US, 2.0 ** (_POWERS - 1))
    mantissa, exponent = np.frexp(us / _BUCKETS)  # mantissa in [0.5, 1)
    power = np.maximum(exponent, 0)
    within = np.where(exponent > 0, (2 * mantissa - 1) * _BUCKETS, us)
    bucket: npt.NDArray[np.int64] = (power * _BUCKETS + np.minimum(within, _BUCKETS - 1)).astype(np.int64)
    return bucket


def _end_s(buckets: npt.NDArray[np.int64]) -> FloatArray:
    power, within = np.divmod(buckets, _BUCKETS)
    width = np.where(power > 0, 2.0 ** (power - 1.0), 1.0)
    start = np.where(power > 0, _BUCKETS * width, 0.0)
    end: FloatArray = (start + (within + 1) * width) / _US
    return end
