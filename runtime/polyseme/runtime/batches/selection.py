"""The further inputs of the `layers` graph: tokens of a batch, layers, and spans to pool. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.artifact.graphs import LAYER_WEIGHTS, POSITIONS, SPAN_TOKENS, SPAN_WEIGHTS
from polyseme.runtime.batches.packed import PackedBatch
from polyseme.runtime.batches.padded import Batch

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Sums over tokens, in groups: the spans of a text are sums over tokens of this text alone.

    Attributes:
        tokens: [G, M] int32, indices into the selected tokens.
        weights: [G, K, M] float32; 0 where a group has fewer tokens or spans.
    """

    tokens: npt.NDArray[np.int32]
    weights: Float32Array


def group_spans(firsts: Sequence[int], weights: Sequence[Float32Array]) -> Spans:
    """Put the spans of G texts together.

    Args:
        firsts: per text the index of its first token among those selected; its others follow.
        weights: G arrays [K, T] float32, both 1 or more: sums over the T tokens of a text.

    Returns:
        The spans; without texts a single sum of nothing, since kernels of GPUs may not take tensors without elements.
    """
    if not weights:
        return Spans(tokens=np.zeros((1, 1), dtype=np.int32), weights=np.zeros((1, 1, 1), dtype=np.float32))
    most_spans = max(len(each) for each in weights)
    most_tokens = max(each.shape[1] for each in weights)
    # The group's own first token fills it up: another text has no part in it, not even times 0.
    tokens = np.repeat(np.array(firsts, dtype=np.int32)[:, None], most_tokens, axis=1)
    padded = np.zeros((len(weights), most_spans, most_tokens), dtype=np.float32)
    for row, part, each in zip(tokens, padded, weights, strict=True):
        spans, size = each.shape
        row[:size] += np.arange(size, dtype=np.int32)
        part[:spans, :size] = each
    return Spans(tokens=tokens, weights=padded)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSelection:
    """The tokens, layers and spans that the `layers` graph gives vectors of; see `polyseme.artifact.graphs`.

    Attributes:
        positions: [P] int32, the place of each token in the batch, reading row by row.
        layer_weights: [C, L + 2] float32, sums over the states of a token.
        spans: the sums over tokens; default: none.
    """

    positions: npt.NDArray[np.int32]
    layer_weights: Float32Array
    spans: Spans = field(default_factory=lambda: group_spans([], []))

    def feeds(self) -> dict[str, npt.NDArray[Any]]:
        """Give the inputs of the graph.

        Returns:
            Arrays by name; `polyseme.artifact.graphs` has their shapes.
        """
        return {
            POSITIONS: self.positions,
            LAYER_WEIGHTS: self.layer_weights,
            SPAN_TOKENS: self.spans.tokens,
            SPAN_WEIGHTS: self.spans.weights,
        }


def every_state(batch: Batch | PackedBatch, num_hidden_layers: int) -> TokenSelection:
    """Select all real tokens, every state kept apart, and the mean of each text.

    token_vectors are then [L + 2, T, H], text after text; span_vectors [L + 2, B, 1, H], the means.
    """
    ends = np.cumsum(batch.lengths)
    firsts = ends - batch.lengths
    positions = np.arange(ends[-1]) + np.repeat(batch.starts - firsts, batch.lengths)
    means = [np.full((1, length), 1 / length, dtype=np.float32) for length in batch.lengths.tolist()]
    return TokenSelection(
        positions=positions.astype(np.int32),
        layer_weights=np.eye(num_hidden_layers + 2, dtype=np.float32),
        spans=group_spans(firsts.tolist(), means),
    )
