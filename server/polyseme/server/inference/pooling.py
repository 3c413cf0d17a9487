"""From spans of a text to what the `layers` graph is asked for: which tokens, and sums over them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from polyseme.server.engine.runner import Wanted


class Subtokens(Enum):
    """How the tokens of one span become one vector."""

    FIRST = "first"
    LAST = "last"
    FIRST_LAST = "first_last"
    MEAN = "mean"


def pooled(spans: Sequence[Sequence[int]], subtokens: Subtokens) -> Wanted:
    """What to ask of a text for one vector per span.

    Args:
        spans: per span its tokens, one or more, in ascending order.
        subtokens: how they become one vector.

    Returns:
        The tokens that matter, each once, and [K, tokens] weights whose rows sum to 1.
    """
    parts = [_part(tokens, subtokens) for tokens in spans]
    needed = np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
    weights = np.zeros((len(parts), len(needed)), dtype=np.float32)
    for row, part in zip(weights, parts, strict=True):
        np.add.at(row, np.searchsorted(needed, part), np.float32(1) / np.float32(len(part)))
    return Wanted(needed.astype(np.int32), weights)


def _part(tokens: Sequence[int], subtokens: Subtokens) -> Sequence[int]:
    match subtokens:
        case Subtokens.FIRST:
            return tokens[:1]
        case Subtokens.LAST:
            return tokens[-1:]
        case Subtokens.FIRST_LAST:
            return [tokens[0], tokens[-1]]
        case Subtokens.MEAN:
            return tokens
