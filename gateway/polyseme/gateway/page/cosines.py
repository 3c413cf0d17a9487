"""Cosines of vectors, as the page shows them. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_DIGITS: Final = 3


def cosines(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compare vectors [..., N, D] with vectors [..., M, D]: [..., N, M].

    It is 0 with a vector that is 0, and NaN with one that has NaN.
    """
    compared: npt.NDArray[np.float32] = np.clip(_units(a) @ _units(b).swapaxes(-1, -2), -1, 1)
    return compared


def rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Round to what the page shows, in any shape [...]; JSON then has as few digits."""
    return np.ascontiguousarray(np.round(values, _DIGITS) + 0.0)


def _units(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: npt.NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths != 0)
    return units
