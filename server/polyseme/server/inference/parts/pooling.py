"""The spans of a text as sums over its tokens. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
import numpy.typing as npt


class Subtokens(Enum):
    """The ways to make one vector of a span from its tokens."""

    FIRST = "first"
    LAST = "last"
    FIRST_LAST = "first_last"
    MEAN = "mean"


def span_sums(
    spans: Sequence[Sequence[int]], subtokens: Subtokens
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Give one sum over tokens per span.

    Args:
        spans: per span its tokens, one or more, in ascending order.
        subtokens: how they become one vector.

    Returns:
        The tokens that matter, each once, [T] int32, and [K, T] float32 weights whose rows sum to 1.
    """
    used = [_used(tokens, subtokens) for tokens in spans]
    needed = np.unique(np.concatenate(used)) if used else np.zeros(0, dtype=np.int64)
    weights = np.zeros((len(used), len(needed)), dtype=np.float32)
    for row, tokens in zip(weights, used, strict=True):
        np.add.at(row, np.searchsorted(needed, tokens), np.float32(1) / np.float32(len(tokens)))
    return needed.astype(np.int32), weights


def _used(tokens: Sequence[int], subtokens: Subtokens) -> Sequence[int]:
    match subtokens:
        case Subtokens.FIRST:
            return tokens[:1]
        case Subtokens.LAST:
            return tokens[-1:]
        case Subtokens.FIRST_LAST:
            return [tokens[0], tokens[-1]]
        case Subtokens.MEAN:
            return tokens
