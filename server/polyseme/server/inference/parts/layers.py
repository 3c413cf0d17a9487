"""The layers that a query asks for, and how they are joined. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

import numpy as np

from polyseme.runtime.tasks import LayerMix
from polyseme.server.errors import InvalidInputError

MAX_LAYERS: Final = 64


class Combine(Enum):
    """The ways to make one vector of a token from several layers."""

    NONE = "none"
    SUM = "sum"
    MEAN = "mean"
    CONCAT = "concat"


def layer_mix(layers: Sequence[int], *, static: bool, combine: Combine, num_hidden_layers: int) -> LayerMix:
    """Give the sums over states that a query asks for.

    Args:
        layers: numbers from -(L + 1) to L, 0 being the embedding layer; empty: the last, unless `static`.
        static: whether the static embedding stands before them.
        combine: how they are joined.
        num_hidden_layers: L.

    Raises:
        InvalidInputError: a layer that the model has not, or too many.
    """
    if len(layers) > MAX_LAYERS:
        raise InvalidInputError(f" has {len(layers)} entries; limit {MAX_LAYERS}", ("layers", "layers"))
    states = [_state(index, layer, num_hidden_layers) for index, layer in enumerate(layers)]
    if static:
        states.insert(0, 0)
    states = states or [num_hidden_layers + 1]
    rows = np.eye(num_hidden_layers + 2)[states]
    if combine is Combine.SUM:
        rows = rows.sum(axis=0, keepdims=True)
    elif combine is Combine.MEAN:
        rows = rows.mean(axis=0, keepdims=True)
    return LayerMix(tuple(map(tuple, rows.tolist())), concatenated=combine is Combine.CONCAT)


def _state(index: int, layer: int, num_hidden_layers: int) -> int:
    """Give the column of a layer among the states."""
    if not -num_hidden_layers - 1 <= layer <= num_hidden_layers:
        raise InvalidInputError(
            f": got {layer}; limits {-num_hidden_layers - 1}..{num_hidden_layers}", ("layers", "layers", index)
        )
    return 1 + (layer if layer >= 0 else num_hidden_layers + 1 + layer)
