"""tei.v1.Rerank: texts in the order of how well they fit a query."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.server.errors import FieldPath, InvalidInputError, ServerError
from polyseme.server.inference.predictions.classification import rerank
from polyseme.server.inference.predictions.queries import Rerank
from polyseme.server.wire.calls.call import WORK_FACTOR, Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import Method, StreamMethod
from polyseme.server.wire.messages.field_names import fields_named
from polyseme.server.wire.tei import requests
from polyseme.server.wire.tei.replies import metadata

_TEXTS_OF_STREAM: Final[Mapping[FieldPath, FieldPath]] = {("texts",): ("text",)}


class RerankService:
    """Answers calls for an order, with the only head of the model that has one label."""

    descriptor = pb.DESCRIPTOR.services_by_name["Rerank"]

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    @property
    def methods(self) -> Mapping[str, Method]:
        """The unary method, by the name that the contract gives it."""
        return {"Rerank": self.rerank}

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The stream of texts with one reply."""
        return {"RerankStream": self.rerank_stream}

    async def rerank(self, request: pb.RerankRequest, call: Call) -> pb.RerankResponse:
        """Answer Rerank."""
        return await self._rerank(request, call)

    async def rerank_stream(
        self,
        messages: AsyncIterator[pb.RerankStreamRequest | ServerError],
        call: Call,
        write: Callable[[pb.RerankResponse], Awaitable[None]],
    ) -> None:
        """Answer RerankStream: one text a message, as many as Rerank takes, then one reply.

        Raises:
            InvalidInputError: no message came, or too many, or another query than in the first.
            QueueFullError: the texts take more memory than there is.
        """
        async with aclosing(messages) as reading:  # type: ignore[type-var]
            request = await self._collected(reading, call)
        with fields_named(_TEXTS_OF_STREAM):
            await write(await self._rerank(request, call))

    async def _collected(
        self, messages: AsyncIterator[pb.RerankStreamRequest | ServerError], call: Call
    ) -> pb.RerankRequest:
        """Make one request of those of a stream."""
        request: pb.RerankRequest | None = None
        async for message in messages:
            if isinstance(message, ServerError):
                raise message
            call.share.take(message.ByteSize() * WORK_FACTOR)
            if request is None:
                request = pb.RerankRequest(
                    query=message.query,
                    truncate=message.truncate,
                    raw_scores=message.raw_scores,
                    return_text=message.return_text,
                    truncation_direction=message.truncation_direction,
                )
            if message.query != request.query:
                raise InvalidInputError(" differs from that of the first request; one stream has one", ("query",))
            request.texts.append(message.text)
            if len(request.texts) >= self._executions.limits.max_texts:
                most = self._executions.limits.max_texts - 1
                raise InvalidInputError(f"the stream has more than {most} texts; limit {most}")
        if request is None:
            raise InvalidInputError("no request was sent")
        return request

    async def _rerank(self, request: pb.RerankRequest, call: Call) -> pb.RerankResponse:
        execution = self._executions.of(call)
        query = Rerank(
            query=request.query,
            texts=request.texts,
            long_texts=requests.long_texts(request),
            scores=requests.scores(request, labels=1),
        )
        reranked = await rerank(query, execution)
        ranks = [
            pb.Rank(index=index, score=score, text=request.texts[index] if request.return_text else None)
            for index, score in zip(reranked.indices, reranked.scores.tolist(), strict=True)
        ]
        texts = [*request.texts, *[request.query] * len(request.texts)]
        return pb.RerankResponse(
            ranks=ranks, metadata=metadata(call, texts, sum(one.tokens for one in reranked.inputs))
        )
