"""Which tokens of a batch, of which layers, pooled into which spans: the other inputs of the `layers` graph. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyseme.runtime.batch import Batch

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the `layers` graph is asked for; see `polyseme.artifact.graphs`.

    Attributes:
        positions: [P] int32, row * S + column of each token.
        layer_weights: [C, L + 2] float32, sums over the states of a token.
        span_weights: [K, P] float32, sums over the tokens; K may be 0.
    """

    positions: npt.NDArray[np.int32]
    layer_weights: Float32Array
    span_weights: Float32Array


def every_state(batch: Batch, num_hidden_layers: int) -> Selection:
    """Everything there is, every state kept apart.

    token_vectors are then [L + 2, T, H], all real tokens, text after text; span_vectors [L + 2, B, H], means of texts.
    """
    columns = np.arange(batch.shape[1])
    positions = np.flatnonzero(columns < batch.lengths[:, None]).astype(np.int32)
    text_of = positions // batch.shape[1]
    means = (text_of == np.arange(batch.shape[0])[:, None]) / batch.lengths[:, None]
    return Selection(
        positions=positions,
        layer_weights=np.eye(num_hidden_layers + 2, dtype=np.float32),
        span_weights=means.astype(np.float32),
    )
