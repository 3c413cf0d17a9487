"""Vectors of parts of texts, tokens or spans: tokenize and check, run, fill in the vectors.

A unary call prepares every text before it runs the first, so that a reply that is too large is refused before any work
is done; a stream takes a portion at a time. Both run groups of texts whose vectors are of bounded size.

The reply to a text is made by a `ReplyWriter` of the protocol that asked, on a tokenizer thread, where its tokens are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import numpy as np

from polyseme.runtime.batches.padded import Ids
from polyseme.runtime.tasks import FloatArray, LayerMix, LayerVectors
from polyseme.runtime.text.tokenizer import TokenizedText, portions
from polyseme.server.engine.client import TextTask
from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.parts.layers import Combine, layer_mix
from polyseme.server.inference.parts.pooling import span_sums
from polyseme.server.inference.parts.spans import LocatedSpan, locate
from polyseme.server.inference.queries import EmbedSpans, EmbedTokens, LayerQuery, TextOptions
from polyseme.server.inference.similarity import unit
from polyseme.server.inference.validation import check_count, check_reply_bytes, check_texts, in_inputs, in_texts

R = TypeVar("R")  # the reply to one text, in the form of some protocol
R_contra = TypeVar("R_contra", contravariant=True)

_GROUP_ELEMENTS: Final = 1 << 21  # most float32 elements that are held before they are encoded: 8 MiB
_LOOP_ELEMENTS: Final = 1 << 16  # most elements that the event loop encodes itself, in about 0.1 ms
_MOST_SPAN_TEXT: Final = 1 << 20  # most characters that the spans of one text may repeat in the reply


class ReplyWriter(Protocol[R_contra]):
    """Makes the replies to texts, in the messages of a protocol."""

    def size(self, reply: R_contra, vectors: int, width: int) -> int:
        """Count the bytes of the reply to a text with its vectors.

        Args:
            reply: the reply, without vectors.
            vectors: number of vectors.
            width: elements of a vector.
        """

    def fill(self, reply: R_contra, vectors: FloatArray) -> None:
        """Put vectors, [K, W] or [layers, K, W], into the reply to a text; on the event loop or another thread."""


class TokenWriter(ReplyWriter[R], Protocol[R]):
    """Makes the replies to EmbedTokens."""

    def begin(self, text: str, tokens: TokenizedText, keep: Sequence[int]) -> R:
        """Make the reply to a text without its vectors; there will be one for each token to keep."""


class SpanWriter(ReplyWriter[R], Protocol[R]):
    """Makes the replies to EmbedSpans."""

    def begin(self, text: str, tokens: TokenizedText, spans: Sequence[LocatedSpan]) -> R:
        """Make the reply to a text without its vectors; there will be one for each span."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedText(Generic[R]):
    """A text that is ready to be run.

    Attributes:
        index: index of the text in the query.
        ids: the token ids that the model sees.
        task: what the text is run for.
        reply: the reply to the text, without its vectors.
    """

    index: int
    ids: Ids
    task: LayerVectors
    reply: R


Prepare: TypeAlias = Callable[[int, str, TokenizedText], PreparedText[R]]
"""Prepares text i of a query, on a tokenizer thread."""


class PartEmbedding(Generic[R]):
    """One query for vectors of parts of texts."""

    def __init__(
        self,
        texts: Sequence[str],
        options: TextOptions,
        mix: LayerMix,
        prepare: Prepare[R],
        writer: ReplyWriter[R],
        execution: Execution,
        *,
        normalize: bool = False,
    ) -> None:
        """Take a query whose fields have been checked.

        Args:
            texts: all texts of the query.
            options: how they become tokens.
            mix: the layers, and how they are joined.
            prepare: prepares a text.
            writer: makes the replies.
            execution: the execution of the call.
            normalize: whether each vector is scaled to length 1.
        """
        self.texts = texts
        self._options = options
        self._mix = mix
        self._prepare = prepare
        self._writer = writer
        self._execution = execution
        self._normalize = normalize

    async def run(self, advice: str) -> list[R]:
        """Give the replies to all texts. Where they would not fit a message, refuse before the first text is run.

        Args:
            advice: what the caller should do instead.

        Raises:
            InvalidInputError: the text that is wrong: what, got, limit.
            QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
        """
        prepared: list[PreparedText[R]] = []
        size = 0
        for portion in portions(self.texts):
            some = await self.prepare(len(prepared), portion)
            size += sum(self._writer.size(text.reply, self._rows(text), self._width) for text in some)
            check_reply_bytes(size, self._execution.limits, advice)
            prepared += some
        self._execution.reserve(size)
        for group in self._groups(prepared):
            await self._fill(group)
        return [text.reply for text in prepared]

    async def in_turn(self) -> AsyncIterator[tuple[int, R]]:
        """Give the index and the reply of each text, in order, a portion at a time: for replies without a limit.

        Raises:
            InvalidInputError, QueueFullError, DeadlineExpiredError, EngineError: as `run`.
        """
        first = 0
        for portion in portions(self.texts):
            for group in self._groups(await self.prepare(first, portion)):
                await self._fill(group)
                for text in group:
                    yield text.index, text.reply
            first += len(portion)

    async def prepare(self, first: int, texts: Sequence[str]) -> list[PreparedText[R]]:
        """Tokenize and check some of the texts.

        Args:
            first: index of the first of them.
            texts: the texts.

        Raises:
            InvalidInputError: the text that is wrong: what, got, limit.
            QueueFullError: the queue would not take the texts.
        """
        numbered = iter(enumerate(texts, first))

        def use(tokens: TokenizedText) -> PreparedText[R]:
            index, text = next(numbered)
            return self._prepare(index, text, tokens)

        return await self._execution.prepare(texts, self._options, use)

    async def vectors(self, prepared: Iterable[PreparedText[R]]) -> AsyncIterator[tuple[PreparedText[R], FloatArray]]:
        """Run prepared texts, and give the vectors of each: [K, W] or [layers, K, W], as `ReplyWriter.fill` takes them.

        Raises:
            QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
        """
        texts = list(prepared)
        self._execution.reserve(sum(self._rows(text) for text in texts) * self._width * 4)
        for group in self._groups(texts):
            for text, vectors in zip(group, await self._run(group), strict=True):
                yield text, vectors

    def _groups(self, prepared: Iterable[PreparedText[R]]) -> Iterator[list[PreparedText[R]]]:
        """Group successive texts whose vectors may be held at once."""
        group: list[PreparedText[R]] = []
        elements = 0
        for text in prepared:
            size = self._rows(text) * self._width
            if group and elements + size > _GROUP_ELEMENTS:
                yield group
                group, elements = [], 0
            group.append(text)
            elements += size
        if group:
            yield group

    async def _run(self, group: Sequence[PreparedText[R]]) -> list[FloatArray]:
        wanted = [TextTask(text.ids, text.task) for text in group if text.task.rows]
        rows: Iterator[FloatArray] = iter(())
        if wanted:
            rows = iter((await self._execution.run(wanted)).rows)
        nothing = np.zeros((len(self._mix.weights), 0, self._hidden_size), dtype=np.float32)
        return [self._mix.arrange(next(rows) if text.task.rows else nothing) for text in group]

    async def _fill(self, group: Sequence[PreparedText[R]]) -> None:
        vectors = await self._run(group)
        if sum(each.size for each in vectors) <= _LOOP_ELEMENTS:
            self._write(group, vectors)
        else:
            await asyncio.to_thread(self._write, group, vectors)

    def _write(self, group: Sequence[PreparedText[R]], vectors: Iterable[FloatArray]) -> None:
        for text, each in zip(group, vectors, strict=True):
            self._writer.fill(text.reply, unit(each) if self._normalize else each)

    def _rows(self, text: PreparedText[R]) -> int:
        return text.task.rows * (len(self._mix.weights) if self._mix.apart else 1)

    @property
    def _width(self) -> int:
        return self._mix.width(self._hidden_size)

    @property
    def _hidden_size(self) -> int:
        return self._execution.model.spec.encoder.hidden_size


def token_embedding(query: EmbedTokens, writer: TokenWriter[R], execution: Execution) -> PartEmbedding[R]:
    """Check a query for every token of each text.

    Raises:
        InvalidInputError: what, got, limit.
    """
    model = execution.model
    mix = mix_of(query.layers, Combine.NONE, execution)
    check_count(len(query.texts), execution.limits)
    check_texts(query.texts, execution.limits, in_texts)

    def prepare(index: int, text: str, tokens: TokenizedText) -> PreparedText[R]:
        model.encoder.refuse_unfit(tokens, ("texts", index))
        keep = [i for i, special in enumerate(tokens.special) if query.include_special_tokens or not special]
        task = LayerVectors(mix, model.spec.encoder.hidden_size, np.array(keep, dtype=np.int32), half=query.half)
        return PreparedText(index, tokens.ids, task, writer.begin(text, tokens, keep))

    return PartEmbedding(query.texts, query.options, mix, prepare, writer, execution)


def span_embedding(query: EmbedSpans, writer: SpanWriter[R], execution: Execution) -> PartEmbedding[R]:
    """Check a query for words or spans of each text.

    Raises:
        InvalidInputError: what, got, limit.
    """
    model, limits = execution.model, execution.limits
    mix = mix_of(query.layers, Combine.SUM, execution)
    check_count(len(query.texts), limits, "inputs")
    check_texts(query.texts, limits, in_inputs)
    half = query.half and not query.normalize  # scaling needs all bits

    def prepare(index: int, text: str, tokens: TokenizedText) -> PreparedText[R]:
        path = ("inputs", index)
        model.encoder.refuse_unfit(tokens, path)
        parts = query.parts[index]
        located = locate(
            text,
            tokens,
            spans=parts.spans,
            words=parts.words,
            unit=query.offset_unit,
            limit=limits.max_spans,
            at=path,
        )
        _refuse_long(located, index)
        sums = span_sums([one.tokens for one in located], query.subtokens)
        task = LayerVectors(mix, model.spec.encoder.hidden_size, *sums, half=half)
        return PreparedText(index, tokens.ids, task, writer.begin(text, tokens, located))

    return PartEmbedding(query.texts, query.options, mix, prepare, writer, execution, normalize=query.normalize)


def mix_of(layers: LayerQuery, default: Combine, execution: Execution) -> LayerMix:
    """Give the sums over states that a query asks for, joined by default as it does.

    Raises:
        InvalidInputError: a layer that the model has not, or too many.
    """
    return layer_mix(
        layers.layers,
        static=layers.static,
        combine=layers.combine or default,
        num_hidden_layers=execution.model.spec.encoder.num_hidden_layers,
    )


def _refuse_long(located: Sequence[LocatedSpan], index: int) -> None:
    """Refuse many spans over one long text, which would repeat it many times."""
    characters = sum(one.end - one.start for one in located)
    if characters > _MOST_SPAN_TEXT:
        raise InvalidInputError(
            f": its spans have {characters} characters in all; limit {_MOST_SPAN_TEXT}", ("inputs", index)
        )
