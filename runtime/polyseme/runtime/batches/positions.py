"""Positions that depend on the ids: the row of the position table for each token. Pure: numpy alone.

RoBERTa and its kin count the tokens that are not padding, by id: a `<pad>` that stands in a text is attended to like
any other token, has row 0, and moves nothing that follows it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int32Array = npt.NDArray[np.int32]


def padded_position_ids(input_ids: Int32Array, padding_idx: int) -> Int32Array:
    """Give the positions of padded texts.

    Args:
        input_ids: [B, S] int32.
        padding_idx: the id whose tokens have position 0; the others of a row count from 1.

    Returns:
        [B, S] int32.
    """
    counted = input_ids != padding_idx
    positions: Int32Array = np.cumsum(counted, axis=1, dtype=np.int32) * counted
    return positions


def packed_position_ids(input_ids: Int32Array, lengths: Int32Array, padding_idx: int) -> Int32Array:
    """Give the positions of texts that lie one after another.

    Args:
        input_ids: [T] int32.
        lengths: [B] int32, tokens of each text; they add up to T.
        padding_idx: the id whose tokens have position 0; the others of a text count from 1.

    Returns:
        [T] int32.
    """
    counted = input_ids != padding_idx
    so_far = np.zeros(len(input_ids) + 1, dtype=np.int32)
    np.cumsum(counted, out=so_far[1:])
    starts = np.cumsum(lengths) - lengths
    positions: Int32Array = (so_far[1:] - np.repeat(so_far[starts], lengths)) * counted
    return positions
