"""Latencies in bounded memory, to three significant digits. Pure.

The buckets are those of HdrHistogram: powers of two, each cut into 1,024 equal parts. Its Python package is not used:
it has no wheel for Linux on ARM, needs setuptools at run time, and takes 45 ms for a percentile; numpy, which the
client has anyway, does with whole arrays what is needed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

_PARTS: Final = 1024
_POWERS: Final = 42  # 2^42 us: 51 days
_US: Final = 1e6

FloatArray = npt.NDArray[np.float64]


class Histogram:
    """Counts of durations: resolution 1 us below 1 ms, 0.1 % above."""

    def __init__(self) -> None:
        self._counts = np.zeros(_PARTS * _POWERS, np.int64)
        self._sum_s = 0.0
        self.count = 0
        self.max_s = 0.0

    def add(self, seconds: FloatArray) -> None:
        """Count durations; a negative one, which only a clock's resolution makes, is 0."""
        if not len(seconds):
            return
        seconds = np.maximum(seconds, 0)
        self._counts += np.bincount(_bucket(seconds), minlength=len(self._counts))
        self._sum_s += float(seconds.sum())
        self.count += len(seconds)
        self.max_s = max(self.max_s, float(seconds.max()))

    @property
    def mean_s(self) -> float:
        """The mean, exact; nan of nothing."""
        return self._sum_s / self.count if self.count else math.nan

    def percentiles_s(self, percents: Sequence[float]) -> list[float]:
        """Give the durations that so many percent do not exceed; nan of nothing."""
        if not self.count:
            return [math.nan] * len(percents)
        ranks = [min(self.count, max(1, math.ceil(self.count * percent / 100 - 1e-9))) for percent in percents]
        buckets = np.searchsorted(np.cumsum(self._counts), ranks)
        return [min(float(end), self.max_s) for end in _end_s(buckets)]

    def to_json(self) -> list[tuple[float, int]]:
        """Give [end of bucket in ms, count] of every bucket that is not empty, ascending."""
        buckets = np.flatnonzero(self._counts)
        ends = _end_s(buckets)
        return [
            (round(float(end) * 1e3, 6), int(number)) for end, number in zip(ends, self._counts[buckets], strict=True)
        ]


def _bucket(seconds: FloatArray) -> npt.NDArray[np.int64]:
    us = np.minimum(seconds * _US, 2.0 ** (_POWERS - 1))
    mantissa, exponent = np.frexp(us / _PARTS)  # mantissa in [0.5, 1)
    power = np.maximum(exponent, 0)
    within = np.where(exponent > 0, (2 * mantissa - 1) * _PARTS, us)
    bucket: npt.NDArray[np.int64] = (power * _PARTS + np.minimum(within, _PARTS - 1)).astype(np.int64)
    return bucket


def _end_s(buckets: npt.NDArray[np.int64]) -> FloatArray:
    power, within = np.divmod(buckets, _PARTS)
    width = np.where(power > 0, 2.0 ** (power - 1.0), 1.0)
    start = np.where(power > 0, _PARTS * width, 0.0)
    end: FloatArray = (start + (within + 1) * width) / _US
    return end
