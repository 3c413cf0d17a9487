"""The similarity of vectors. Pure: numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def cosines(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give the cosine of each row of a with the same row of b: two [N, D] give [N] float64.

    Two rows of zeros have 1, one row of zeros 0; NaN where an element is NaN.
    """
    left, right = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1)
        result: npt.NDArray[np.float64] = np.einsum("nd,nd->n", left, right) / (lengths[0] * lengths[1])
    zeros = [length == 0 for length in lengths]
    result[zeros[0] | zeros[1]] = 0
    result[zeros[0] & zeros[1]] = 1
    return result
