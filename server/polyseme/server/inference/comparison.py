"""Compare: turn operands, texts or parts of texts, into vectors, and compare these."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyseme.runtime.tasks import FloatArray, LayerVectors, PooledVector
from polyseme.runtime.text.tokenizer import TokenIds, TokenizedText
from polyseme.server.errors import FieldPath, InvalidInputError
from polyseme.server.inference import similarity
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.parts.embedding import PartEmbedding, PreparedText, mix_of
from polyseme.server.inference.parts.layers import Combine
from polyseme.server.inference.parts.pooling import span_sums
from polyseme.server.inference.parts.spans import locate_one
from polyseme.server.inference.prompted import pooled_vectors
from polyseme.server.inference.queries import Compare, CompareMode
from polyseme.server.inference.validation import check_reply_bytes, check_texts

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The answer to Compare.

    Attributes:
        scores: [N, M], [N] (pairwise) or [N, k] (top k) float32.
        indices: N * k indices into b, row by row; empty but for top k.
        texts: the token ids of each operand's text, those of a before those of b.
    """

    scores: Float32Array
    indices: list[int]
    texts: list[TokenIds]


class Comparison:
    """One query for the similarity of operands."""

    def __init__(self, query: Compare, execution: Execution) -> None:
        """Check the query.

        Raises:
            InvalidInputError: the field that is wrong: what, got, limit.
        """
        self._query = query
        self._execution = execution
        self._operands = [*query.a, *query.b]
        check_texts([operand.text for operand in self._operands], execution.limits, self._path)
        self._check_mode(len(query.a), len(query.b) or len(query.a))

    async def run(self) -> Compared:
        """Turn the operands into vectors, and compare these.

        Raises:
            InvalidInputError: a part is not in its text, or vectors have different widths.
            QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
        """
        operands = self._operands
        self._execution.reserve(len(self._query.a) * (len(self._query.b) or len(self._query.a)) * 4)
        seen: dict[int, TokenIds] = {}
        vectors: dict[int, FloatArray] = {}
        texts = [i for i, operand in enumerate(operands) if operand.part is None]
        parts = [i for i, operand in enumerate(operands) if operand.part is not None]
        if texts:
            await self._embed_texts(texts, seen, vectors)
        if parts:
            await self._embed_parts(parts, seen, vectors)
        if texts and parts and (vectors[texts[0]].shape != vectors[parts[0]].shape):
            raise InvalidInputError(
                f"texts have {len(vectors[texts[0]])} dimensions and parts of texts {len(vectors[parts[0]])}; "
                "similarity needs as many"
            )
        rows = np.stack([vectors[i] for i in range(len(operands))])
        n = len(self._query.a)
        scores, indices = await asyncio.to_thread(self._compare, rows[:n], rows[n:] if self._query.b else rows)
        return Compared(scores=scores, indices=indices, texts=[seen[i] for i in range(len(operands))])

    def _compare(self, a: Float32Array, b: Float32Array) -> tuple[Float32Array, list[int]]:
        query = self._query
        if query.mode is CompareMode.PAIRWISE:
            return similarity.pairwise(a, b, query.metric), []
        scores = similarity.matrix(a, b, query.metric)
        if query.mode is CompareMode.MATRIX:
            return scores, []
        scores, indices = similarity.top_k(scores, query.top_k, query.metric)
        return scores, indices.ravel().tolist()

    async def _embed_texts(self, places: list[int], seen: dict[int, TokenIds], vectors: dict[int, FloatArray]) -> None:
        """Embed operands that are whole texts."""
        execution = self._execution
        texts = [self._operands[place].text for place in places]
        encoded = await execution.encode(texts, self._query.options, lambda i: self._path(places[i]))
        seen.update(zip(places, encoded, strict=True))
        task = PooledVector(normalized=execution.model.spec.embedding.normalizes)
        rows = await pooled_vectors(encoded, self._query.options, task, execution, lambda i: self._path(places[i]))
        vectors.update(zip(places, rows, strict=True))

    async def _embed_parts(self, places: list[int], seen: dict[int, TokenIds], vectors: dict[int, FloatArray]) -> None:
        """Embed operands that are parts of texts; a text with several is run once."""
        by_text: dict[str, list[int]] = {}
        for place in places:
            by_text.setdefault(self._operands[place].text, []).append(place)
        grouped = list(by_text.values())
        embedding = self._part_embedding(grouped)
        prepared = await embedding.prepare(0, embedding.texts)
        async for text, rows in embedding.vectors(prepared):
            vectors.update(zip(grouped[text.index], rows, strict=True))
            seen.update(dict.fromkeys(grouped[text.index], text.reply))

    def _part_embedding(self, grouped: Sequence[Sequence[int]]) -> PartEmbedding[TokenIds]:
        """Prepare one vector for each operand of each text, in this order."""
        query, model = self._query, self._execution.model
        mix = mix_of(query.layers, Combine.SUM, self._execution)
        if mix.apart:
            raise InvalidInputError(
                f": none keeps {len(mix.weights)} layers apart; similarity compares one vector", ("layers", "combine")
            )

        def prepare(index: int, text: str, tokens: TokenizedText) -> PreparedText[TokenIds]:
            model.encoder.refuse_unfit(tokens, self._path(grouped[index][0]))
            located = []
            for place in grouped[index]:
                part = self._operands[place].part
                if part is not None:
                    located.append(locate_one(text, tokens, part, unit=query.offset_unit, at=self._path(place)))
            sums = span_sums([one.tokens for one in located], query.subtokens)
            seen = TokenIds(ids=tokens.ids, original_tokens=tokens.original_tokens)
            return PreparedText(index, tokens.ids, LayerVectors(mix, model.spec.encoder.hidden_size, *sums), seen)

        texts = [self._operands[places[0]].text for places in grouped]
        return PartEmbedding(texts, query.options, mix, prepare, _NoReply(), self._execution)

    def _path(self, index: int) -> FieldPath:
        n = len(self._query.a)
        return ("a", index) if index < n else ("b", index - n)

    def _check_mode(self, n: int, m: int) -> None:
        query, limits = self._query, self._execution.limits
        match query.mode:
            case CompareMode.MATRIX:
                check_reply_bytes(n * m * 4, limits)
            case CompareMode.PAIRWISE:
                if n != m:
                    raise InvalidInputError(f"pairwise: a has {n} operands, b has {m}; as many are needed")
            case CompareMode.TOP_K:
                if not 1 <= query.top_k <= m:
                    raise InvalidInputError(f": got {query.top_k}; limits 1..{m}", ("top_k",))
                check_reply_bytes(n * query.top_k * 8, limits)


def check_operand_count(a: int, b: int, max_texts: int) -> None:
    """Refuse a query without operands, or with too many, before anything is made of them.

    Raises:
        InvalidInputError: the number of operands, and the limit.
    """
    if not a:
        raise InvalidInputError(" is empty; at least 1 operand is needed", ("a",))
    if a + b > max_texts:
        raise InvalidInputError(f"a and b together has {a + b} entries; limit {max_texts}")


class _NoReply:
    """Writes no reply: vectors of operands are compared, not sent."""

    def size(self, reply: TokenIds, vectors: int, width: int) -> int:
        return 0

    def fill(self, reply: TokenIds, vectors: FloatArray) -> None:
        return
