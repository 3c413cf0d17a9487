"""Which tokens of a batch, of which layers, pooled into which spans: the other inputs of the `layers` graph. Pure."""

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
        tokens: [G, M] int32, places among the selected tokens.
        weights: [G, K, M] float32; 0 where a group has fewer tokens or spans.
    """

    tokens: npt.NDArray[np.int32]
    weights: Float32Array


def group_spans(firsts: Sequence[int], weights: Sequence[Float32Array]) -> Spans:
    """Put the spans of G texts together.

    Args:
        firsts: per text the place of its first token among those selected; its others follow.
        weights: per text [spans, tokens], both 1 or more; without texts one sum of nothing, as kernels of GPUs need not
            be made for tensors without elements.
    """
    if not weights:
        return Spans(tokens=np.zeros((1, 1), dtype=np.int32), weights=np.zeros((1, 1, 1), dtype=np.float32))
    most_spans = max(len(each) for each in weights)
    most_tokens = max(each.shape[1] for each in weights)
    # What fills a group up is the group's own first token: nothing of another text has a part in it, not even by 0.
    tokens = np.repeat(np.array(firsts, dtype=np.int32)[:, None], most_tokens, axis=1)
    padded = np.zeros((len(weights), most_spans, most_tokens), dtype=np.float32)
    for row, part, each in zip(tokens, padded, weights, strict=True):
        spans, size = each.shape
        row[:size] += np.arange(size, dtype=np.int32)
        part[:spans, :size] = each
    return Spans(tokens=tokens, weights=padded)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSelection:
    """What the `layers` graph is asked for; see `polyseme.artifact.graphs`.

    Attributes:
        positions: [P] int32, the place of each token in the batch, reading row by row.
        layer_weights: [C, L + 2] float32, sums over the states of a token.
        spans: what is summed up over tokens; default: nothing.
    """

    positions: npt.NDArray[np.int32]
    layer_weights: Float32Array
    spans: Spans = field(default_factory=lambda: group_spans([], []))

    def feeds(self) -> dict[str, npt.NDArray[Any]]:
        """The graph's inputs."""
        return {
            POSITIONS: self.positions,
            LAYER_WEIGHTS: self.layer_weights,
            SPAN_TOKENS: self.spans.tokens,
            SPAN_WEIGHTS: self.spans.weights,
        }


def every_state(batch: Batch | PackedBatch, num_hidden_layers: int) -> TokenSelection:
    """Everything there is, every state kept apart.

    token_vectors are then [L + 2, T, H], all real tokens, text after text; span_vectors [L + 2, B, 1, H], their means.
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
