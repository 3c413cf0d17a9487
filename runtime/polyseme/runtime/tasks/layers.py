"""Vectors of tokens and spans, of any layers: outputs of the `layers` graph."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Variant
from polyseme.artifact.graphs import SPAN_VECTORS, TOKEN_VECTORS, half
from polyseme.runtime.batches.selection import Spans, TokenSelection, group_spans
from polyseme.runtime.tasks.task import FloatArray, Outputs

Float32Array = npt.NDArray[np.float32]

# Elements of what is gathered for the spans of a batch, and of their weights: 256 MB; a larger batch is run in parts.
_MOST_GROUPED: Final = 1 << 26


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
        """True where vectors have an axis of layers."""
        return len(self.weights) > 1 and not self.concatenated

    def matrix(self) -> Float32Array:
        """[C, L + 2] float32, the weights."""
        return np.array(self.weights, dtype=np.float32)

    def width(self, hidden_size: int) -> int:
        """Count the elements of a vector."""
        return hidden_size * (len(self.weights) if self.concatenated else 1)

    def arrange(self, vectors: FloatArray) -> FloatArray:
        """Bring [C, N, H], as the graph gives them, into the shape of a reply: [N, H], [N, C * H] or [C, N, H]."""
        if self.apart:
            return vectors
        count, rows, hidden = vectors.shape
        return vectors.transpose(1, 0, 2).reshape(rows, count * hidden)


@dataclass(frozen=True, slots=True, eq=False)
class LayerVectors:
    """The vectors of some tokens of a text, [C, T, H], or of sums over them, [C, K, H].

    Attributes:
        mix: the layers, C sums over them.
        hidden_size: H.
        tokens: [T] int32, indices of the text's tokens that are wanted, ascending.
        span_weights: [K, T] float32, sums over these tokens; None where the tokens themselves are wanted.
        half: whether float16 is enough.
    """

    mix: LayerMix
    hidden_size: int
    tokens: npt.NDArray[np.int32]
    span_weights: Float32Array | None = None
    half: bool = False

    @property
    def batch_key(self) -> Hashable:
        """The mix: texts of one mix may share a batch."""
        return self.mix

    @property
    def output(self) -> str:
        """The graph's output, by name."""
        output = TOKEN_VECTORS if self.span_weights is None else SPAN_VECTORS
        return half(output) if self.half else output

    @property
    def rows(self) -> int:
        """Number of vectors that it gives, per layer."""
        return len(self.tokens if self.span_weights is None else self.span_weights)

    def in_full(self) -> LayerVectors:
        """Copy the task, in float32."""
        return replace(self, half=False)

    @classmethod
    def batch(cls, tasks: Sequence[LayerVectors]) -> LayersBatch:
        """Put tasks of one mix together."""
        return LayersBatch(tasks)


class LayersBatch:
    """The tokens and spans that the texts of a batch want."""

    graph = Variant.LAYERS

    def __init__(self, tasks: Sequence[LayerVectors]) -> None:
        self._tasks = tasks
        self.outputs = sorted({task.output for task in tasks})

    @property
    def is_too_large(self) -> bool:
        """True where spans gather more than 256 MB: all groups are as large as the largest."""
        shapes = [task.span_weights.shape for task in self._tasks if task.span_weights is not None]
        if not shapes:
            return False
        first = self._tasks[0]
        width = first.hidden_size * len(first.mix.weights)
        most_spans, most_tokens = (int(max(sizes)) for sizes in zip(*shapes, strict=True))
        return len(shapes) * most_tokens * max(most_spans, width) > _MOST_GROUPED

    def selection(self, starts: npt.NDArray[np.int32]) -> TokenSelection:
        """Select the tokens and spans of the batch, and the layers.

        Args:
            starts: [B] int32, where each text begins in the batch.
        """
        return TokenSelection(
            positions=np.concatenate(
                [start + task.tokens for start, task in zip(starts, self._tasks, strict=True)], dtype=np.int32
            ),
            layer_weights=self._tasks[0].mix.matrix(),
            spans=self._spans(),
        )

    def split(self, outputs: Outputs) -> list[FloatArray | None]:
        """Cut [C, P, H] and [C, G, K, H] into the share of each text: [C, T, H] or [C, K, H]. See `TaskBatch.split`."""
        return [share if np.isfinite(share).all() else None for share in self._shares(outputs)]

    def _spans(self) -> Spans:
        """Group the spans of each text that wants some, as sums over its own tokens."""
        firsts = np.cumsum([0, *(len(task.tokens) for task in self._tasks)]).tolist()
        wanted = [
            (first, task.span_weights)
            for first, task in zip(firsts, self._tasks, strict=False)
            if task.span_weights is not None
        ]
        return group_spans([first for first, _ in wanted], [weights for _, weights in wanted])

    def _shares(self, outputs: Outputs) -> Iterator[FloatArray]:
        token = group = 0
        for task in self._tasks:
            vectors = outputs[task.output]
            if task.span_weights is None:
                yield vectors[:, token : token + len(task.tokens)]
            else:
                yield vectors[:, group, : len(task.span_weights)]
                group += 1
            token += len(task.tokens)
