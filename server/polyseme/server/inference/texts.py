"""EmbedTexts: one vector per text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polyseme.runtime.tasks import FloatArray, PooledVector
from polyseme.runtime.text.tokenizer import TokenIds
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.prompted import pooled_vectors
from polyseme.server.inference.queries import EmbedTexts
from polyseme.server.inference.similarity import unit
from polyseme.server.inference.validation import check_count, check_dimensions, check_texts, in_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedTexts:
    """The answer to EmbedTexts.

    Attributes:
        vectors: [N, D] float32; float16 where that is enough and holds them.
        texts: the token ids of each text.
    """

    vectors: FloatArray
    texts: list[TokenIds]


class TextEmbedding:
    """One query for vectors of texts.

    Attributes:
        shape: [N, D] of the answer.
    """

    def __init__(self, query: EmbedTexts, execution: Execution) -> None:
        """Check the query.

        Raises:
            InvalidInputError: the field that is wrong: what, got, limit.
        """
        self._head = execution.model.spec.embedding
        dimensions = self._head.dimensions if query.dimensions is None else query.dimensions
        check_dimensions(dimensions, self._head.dimensions)
        check_count(len(query.texts), execution.limits)
        check_texts(query.texts, execution.limits, in_texts)
        self.shape = (len(query.texts), dimensions)
        self._query = query
        self._execution = execution

    async def run(self) -> EmbeddedTexts:
        """Tokenize and run the texts.

        Raises:
            InvalidInputError: unknown prompt; a text is too long, or has no token.
            QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
        """
        query, head, dimensions = self._query, self._head, self.shape[1]
        normalize = head.normalizes if query.normalize is None else query.normalize
        encoded = await self._execution.encode(query.texts, query.options, in_texts)
        # Vectors that are cut are scaled again, which needs all bits.
        task = PooledVector(normalized=normalize, half=query.half and dimensions == head.dimensions)
        rows = await pooled_vectors(encoded, query.options, task, self._execution, in_texts)
        vectors = np.concatenate(rows).reshape(len(rows), -1)  # a third of what `np.stack` takes
        if dimensions < head.dimensions:
            vectors = unit(vectors[:, :dimensions]) if normalize else vectors[:, :dimensions]
        return EmbeddedTexts(vectors=vectors, texts=encoded)
