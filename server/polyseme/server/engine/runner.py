"""What a runner thread does with a batch: collate, run the session, look at the numbers, hand out the vectors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Variant
from polyseme.artifact.graphs import SPAN_VECTORS, TOKEN_VECTORS, half, whole
from polyseme.runtime.batches.selection import Selection, Spans, group_spans
from polyseme.runtime.engines.engine import Engine
from polyseme.runtime.errors import DeviceLostError
from polyseme.server.engine.watchdog import Vitals
from polyseme.server.errors import EngineError, NotFiniteError
from polyseme.server.inference.layers import LayerMix
from polyseme.server.scheduling import Entry, Outcome

log = logging.getLogger(__name__)

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[Any]  # float32, or float16 where that was asked for

# Elements of what is gathered for the spans of a batch, and of their weights: 256 MB; a larger batch is run in parts.
_MOST_GROUPED = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What is asked of one text whose kind is a LayerMix.

    Attributes:
        tokens: which of its tokens, in ascending order.
        span_weights: [K, len(tokens)] sums over them; None where the tokens themselves are wanted.
        halved: whether in float16.
    """

    tokens: npt.NDArray[np.int32]
    span_weights: Float32Array | None = None
    halved: bool = False

    @property
    def output(self) -> str:
        """The graph's, by name."""
        output = TOKEN_VECTORS if self.span_weights is None else SPAN_VECTORS
        return half(output) if self.halved else output


class Runner:
    """Runs batches on an engine. Thread-safe.

    An entry whose kind is None wants one output of the `embed` graph, by name: [D]. One whose kind is a LayerMix wants
    tokens or spans (`Wanted`) of the `layers` graph: [C, T, H] or [C, K, H].
    """

    def __init__(self, engine: Engine, vitals: Vitals, hidden_size: int) -> None:
        self._engine = engine
        self._hidden_size = hidden_size
        self._vitals = vitals

    def __call__(self, entries: Sequence[Entry]) -> list[Outcome]:
        """One outcome per entry, in order; all of one kind.

        A batch that fails is split until the text that breaks it stands alone: its batch-mates are answered.
        """
        try:
            with self._vitals.running():
                return self._run(entries)
        except DeviceLostError:  # nothing is gained by running half of it
            raise
        except Exception as error:
            if len(entries) == 1:
                log.exception("a text of %d tokens cannot be run", entries[0].tokens)
                failure = EngineError("the model could not be run")
                failure.__cause__ = error
                return [failure]
            log.warning("a batch of %d texts failed (%s): split in two", len(entries), type(error).__name__)
            return self._in_two(entries)

    def _in_two(self, entries: Sequence[Entry]) -> list[Outcome]:
        half = len(entries) // 2
        return [*self(entries[:half]), *self(entries[half:])]

    def _run(self, entries: Sequence[Entry]) -> list[Outcome]:
        kind = entries[0].kind
        if isinstance(kind, LayerMix):
            return self._run_layers(entries, kind)
        batch = self._engine.collate([entry.ids for entry in entries])
        outputs = sorted({entry.wanted for entry in entries})
        arrays = dict(zip(outputs, self._engine.run(Variant.EMBED, batch, outputs), strict=True))
        finite = {name: np.isfinite(array).all(axis=1) for name, array in arrays.items()}
        return [
            arrays[entry.wanted][row] if finite[entry.wanted][row] else self._not_finite(entry, entry.wanted)
            for row, entry in enumerate(entries)
        ]

    def _run_layers(self, entries: Sequence[Entry], mix: LayerMix) -> list[Outcome]:
        wanted: list[Wanted] = [entry.wanted for entry in entries]
        if _grouped(wanted, mix.elements(self._hidden_size)) > _MOST_GROUPED and len(entries) > 1:
            return self._in_two(entries)
        batch = self._engine.collate([entry.ids for entry in entries])
        selection = Selection(
            positions=np.concatenate(
                [start + w.tokens for start, w in zip(batch.starts, wanted, strict=True)], dtype=np.int32
            ),
            layer_weights=mix.matrix(),
            spans=_spans(wanted),
        )
        outputs = sorted({w.output for w in wanted})
        arrays = dict(zip(outputs, self._engine.run(Variant.LAYERS, batch, outputs, selection), strict=True))
        return [
            share if np.isfinite(share).all() else self._not_finite(entry, entry.wanted.output)
            for entry, share in zip(entries, _shares(arrays, wanted), strict=True)
        ]

    def _not_finite(self, entry: Entry, output: str) -> Outcome:
        """What is too large for float16 is run again, to be clipped as all that travels so; else it is an error."""
        if output == whole(output):
            return NotFiniteError("the model's output is not finite")
        wanted = replace(entry.wanted, halved=False) if isinstance(entry.wanted, Wanted) else whole(entry.wanted)
        return self([replace(entry, wanted=wanted)])[0]


def _grouped(wanted: Sequence[Wanted], width: int) -> int:
    """Elements of the larger of what is gathered for spans, all groups as large as the largest, and their weights."""
    shapes = [w.span_weights.shape for w in wanted if w.span_weights is not None]
    if not shapes:
        return 0
    most_spans, most_tokens = (int(max(sizes)) for sizes in zip(*shapes, strict=True))
    return len(shapes) * most_tokens * max(most_spans, width)


def _spans(wanted: Sequence[Wanted]) -> Spans:
    """The spans of each text that wants some, as sums over its own tokens."""
    firsts = np.cumsum([0, *(len(w.tokens) for w in wanted)]).tolist()
    asked = [(first, w.span_weights) for first, w in zip(firsts, wanted, strict=False) if w.span_weights is not None]
    return group_spans([first for first, _ in asked], [weights for _, weights in asked])


def _shares(vectors: Mapping[str, FloatArray], wanted: Sequence[Wanted]) -> Iterator[FloatArray]:
    """Each text's own of [C, P, H] and [C, G, K, H]."""
    token = group = 0
    for w in wanted:
        if w.span_weights is None:
            yield vectors[w.output][:, token : token + len(w.tokens)]
        else:
            yield vectors[w.output][:, group, : len(w.span_weights)]
            group += 1
        token += len(w.tokens)
