"""The weight file of one precision: all initializers, flat, little-endian, each aligned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from polyseme.artifact import Precision, WeightEntry
from polyseme.export.encoder import Encoder
from polyseme.export.errors import UnsupportedError

_ALIGNMENT = 64  # a cache line, and what vector loads of a memory-mapped file want
_LARGEST_FP16 = float(np.finfo(np.float16).max)


def write_weights(encoder: Encoder, precision: Precision, path: Path) -> tuple[WeightEntry, ...]:
    """Write every initializer and say where it lies.

    Raises:
        UnsupportedError: a weight is too large for fp16.
    """
    entries = []
    with path.open("wb") as file:
        for name, values in encoder.initializers():
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            entries.append(WeightEntry(name=name, shape=values.shape, offset=file.tell()))
            file.write(np.ascontiguousarray(_rounded(name, values, precision)).data)
    return tuple(entries)


def _rounded(name: str, values: np.ndarray, precision: Precision) -> np.ndarray:
    if precision is Precision.FP16:
        largest = max(float(values.max(initial=0)), -float(values.min(initial=0)))
        if largest > _LARGEST_FP16:
            raise UnsupportedError(f"weight {name} has {largest:.3g}; fp16 ends at 65504: export with --precision fp32")
    return values.astype(precision.dtype, copy=False)
