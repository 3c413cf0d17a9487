"""Vectors of tokens and spans, text by text: tokenize and check, run, fill in the vectors.

A unary call prepares every text before it runs the first, so that a reply that is too large is refused before any work
is done; a stream takes a portion at a time. Both run groups of texts whose vectors are of bounded size.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polyseme.runtime.text.tokenizer import TokenizedText
from polyseme.server.engine.runner import Wanted
from polyseme.server.inference.layers import LayerMix
from polyseme.server.inference.similarity import unit
from polyseme.server.models.served import ServedModel, Terms, TextOptions
from polyseme.server.observe.stopwatch import Stopwatch
from polyseme.server.wire.tensors import WireType, encoded_bytes
from polyseme.server.wire.v1 import convert
from polyseme.server.wire.v1.chunks import Part

_GROUP_ELEMENTS = 1 << 21  # float32 elements that are held before they are encoded: 8 MiB
_LOOP_ELEMENTS = 1 << 16  # what the event loop may encode itself, in about 0.1 ms
_PART_BYTES = 64  # of a part's own fields

Float32Array = npt.NDArray[np.float32]


@dataclass(slots=True, eq=False)
class Piece:
    """One text on its way.

    Attributes:
        index: which text of the request.
        ids: what the model sees.
        wanted: of it.
        part: the reply to it, but for its vectors.
    """

    index: int
    ids: Sequence[int]
    wanted: Wanted
    part: Part

    @property
    def rows(self) -> int:
        """How many vectors it gets, per layer."""
        return len(self.wanted.tokens if self.wanted.span_weights is None else self.wanted.span_weights)


Builder: TypeAlias = Callable[[int, str, TokenizedText], Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done with the texts of one request.

    Attributes:
        model: which runs them.
        texts: all of them.
        build: makes the piece of a text, on a tokenizer thread.
        mix: the layers.
        options: how texts become tokens.
        terms: of the call.
        dtype: of the reply's vectors.
        normalize: whether each vector is scaled to length 1.
        watch: where the time goes.
    """

    model: ServedModel
    texts: Sequence[str]
    build: Builder
    mix: LayerMix
    options: TextOptions
    terms: Terms
    dtype: WireType
    normalize: bool
    watch: Stopwatch

    async def prepare(self, first: int, texts: Sequence[str]) -> list[Piece]:
        """Tokenize and check some of the texts, the first of which has index `first`.

        Raises:
            InvalidInputError: which text, what, got, limit.
            QueueFullError: what comes of it would not be admitted.
        """
        await self.model.admit(self.terms)
        numbered = iter(enumerate(texts, first))

        def use(tokens: TokenizedText) -> Piece:
            index, text = next(numbered)
            return self.build(index, text, tokens)

        return await self.watch.tokenizing(self.model.tokenize(texts, self.options, use))

    def reply_bytes(self, pieces: Iterable[Piece]) -> int:
        """How large a message the reply to these needs."""
        return sum(
            piece.part.ByteSize() + _PART_BYTES + encoded_bytes(self._vectors(piece), self._width, self.dtype)
            for piece in pieces
        )

    def groups(self, pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
        """Successive pieces whose vectors may be held at once."""
        group: list[Piece] = []
        elements = 0
        for piece in pieces:
            size = self._vectors(piece) * self._width
            if group and elements + size > _GROUP_ELEMENTS:
                yield group
                group, elements = [], 0
            group.append(piece)
            elements += size
        if group:
            yield group

    async def run(self, group: Sequence[Piece]) -> None:
        """Compute the vectors of a group and put them into its parts.

        Raises:
            QueueFullError, DeadlineExpiredError, EngineError: as `Scheduler.submit`.
        """
        vectors = await self.vectors(group)
        if sum(each.size for each in vectors) <= _LOOP_ELEMENTS:
            self._fill(group, vectors)
        else:
            await asyncio.to_thread(self._fill, group, vectors)

    async def vectors(self, group: Sequence[Piece]) -> list[Float32Array]:
        """Compute the vectors of a group: per piece [K, W], or [layers, K, W] where layers are kept apart.

        Raises:
            QueueFullError, DeadlineExpiredError, EngineError: as `Scheduler.submit`.
        """
        asked = [piece for piece in group if piece.rows]
        rows: Iterator[Float32Array] = iter(())
        if asked:
            halved = self.dtype is WireType.FLOAT16 and not self.normalize
            wanted = [(piece.ids, replace(piece.wanted, halved=halved)) for piece in asked]
            completed = await self.model.run(wanted, self.terms, self.mix)
            self.watch.ran(completed)
            rows = iter(completed.rows)
        nothing = np.zeros((len(self.mix.weights), 0, self._hidden_size), dtype=np.float32)
        return [self.mix.arrange(next(rows) if piece.rows else nothing) for piece in group]

    def _fill(self, group: Sequence[Piece], vectors: Iterable[Float32Array]) -> None:
        for piece, each in zip(group, vectors, strict=True):
            convert.fill_tensor(piece.part.vectors, unit(each) if self.normalize else each, self.dtype)

    def _vectors(self, piece: Piece) -> int:
        return piece.rows * (len(self.mix.weights) if self.mix.apart else 1)

    @property
    def _width(self) -> int:
        return self.mix.width(self._hidden_size)

    @property
    def _hidden_size(self) -> int:
        return self.model.spec.hidden_size
