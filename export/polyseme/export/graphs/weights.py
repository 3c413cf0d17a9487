"""The weight file of one precision: all initializers, flat, little-endian, each aligned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from polyseme.artifact import Layout, Precision, WeightEntry
from polyseme.export.encoders.encoder import PADDED_ONLY, Encoder
from polyseme.export.encoders.pre_norm import PreNormEncoder
from polyseme.export.errors import UnsupportedError
from polyseme.export.reading.sentence_transformers.dense import DenseModule, dense_initializers

_ALIGNMENT: Final = 64  # bytes: a cache line, as vector loads from a memory-mapped file need
_LARGEST_FP16: Final = float(np.finfo(np.float16).max)


def write_weights(
    encoder: Encoder | PreNormEncoder,
    precision: Precision,
    path: Path,
    layouts: Collection[Layout],
    *,
    dense: Sequence[DenseModule] = (),
) -> dict[Layout, tuple[WeightEntry, ...]]:
    """Write the initializers of some layouts, each once; give the places of those of each layout.

    Raises:
        UnsupportedError: a weight is too large for fp16.
    """
    padded = [*encoder.initializers(), *dense_initializers(dense)]
    own = list(encoder.packed_initializers()) if Layout.PACKED in layouts else []
    entries = write_tensors([*padded, *own], precision, path)
    written = {Layout.PADDED: entries[: len(padded)]}
    if own:
        shared = (entry for entry in written[Layout.PADDED] if not entry.name.endswith(PADDED_ONLY))
        written[Layout.PACKED] = (*shared, *entries[len(padded) :])
    return written


def write_tensors(
    tensors: Iterable[tuple[str, np.ndarray]], precision: Precision, path: Path
) -> tuple[WeightEntry, ...]:
    """Write float32 tensors of any shape by name; give the place of each.

    Raises:
        UnsupportedError: one is too large for fp16.
    """
    entries = []
    with path.open("wb") as file:
        for name, values in tensors:
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
