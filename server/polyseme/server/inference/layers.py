"""Which layers a request asks for, and how they are joined. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from polyseme.server.errors import InvalidInputError

Float32Array = npt.NDArray[np.float32]

MAX_LAYERS = 64


class Combine(Enum):
    """How several layers become one vector of a token."""

    NONE = "none"
    SUM = "sum"
    MEAN = "mean"
    CONCAT = "concat"


@dataclass(frozen=True, slots=True)
class LayerMix:
    """Sums over a token's states: its static embedding, layer 0 (embeddings), layers 1..L. Equal mixes share a batch.

    Attributes:
        weights: C rows of L + 2.
        concatenated: whether the C sums are put one after the other; otherwise they keep an axis, if there are several.
    """

    weights: tuple[tuple[float, ...], ...]
    concatenated: bool = False

    @property
    def apart(self) -> bool:
        """Whether vectors have an axis of layers."""
        return len(self.weights) > 1 and not self.concatenated

    def matrix(self) -> Float32Array:
        """[C, L + 2]."""
        return np.array(self.weights, dtype=np.float32)

    def width(self, hidden_size: int) -> int:
        """Elements of a vector."""
        return hidden_size * (len(self.weights) if self.concatenated else 1)

    def elements(self, hidden_size: int) -> int:
        """Elements of all vectors of one token."""
        return hidden_size * len(self.weights)

    def arrange(self, vectors: Float32Array) -> Float32Array:
        """Bring [C, N, H], as the graph gives them, into the shape of a reply: [N, H], [N, C * H] or [C, N, H]."""
        if self.apart:
            return vectors
        count, rows, hidden = vectors.shape
        return vectors.transpose(1, 0, 2).reshape(rows, count * hidden)


def layer_mix(layers: Sequence[int], *, static: bool, combine: Combine, num_hidden_layers: int) -> LayerMix:
    """The mix that a selection asks for.

    Args:
        layers: numbers from -(L + 1) to L, 0 being the embedding layer; empty: the last, unless `static`.
        static: whether the static embedding stands before them.
        combine: how they are joined.
        num_hidden_layers: L.

    Raises:
        InvalidInputError: a layer that the model has not, or too many.
    """
    if len(layers) > MAX_LAYERS:
        raise InvalidInputError(f"layers.layers has {len(layers)} entries; limit {MAX_LAYERS}")
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
    """The column of a layer among the states."""
    if not -num_hidden_layers - 1 <= layer <= num_hidden_layers:
        raise InvalidInputError(
            f"layers.layers[{index}]: got {layer}; limits {-num_hidden_layers - 1}..{num_hidden_layers}"
        )
    return 1 + (layer if layer >= 0 else num_hidden_layers + 1 + layer)
