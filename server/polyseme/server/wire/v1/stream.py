"""StreamEmbed: requests are read ahead, run side by side, and answered in order, in chunks.

A bounded number of requests is under way and each holds a bounded number of finished chunks, so that a reader who is
slow stops his own requests, then the reading of new ones, and no memory grows. A request that fails answers with an
error of its own; the stream goes on. Where the queue is full a stream waits for room: it is refused nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from polyseme.runtime.text.tokenizer import portions
from polyseme.server.config import ServerConfig
from polyseme.server.errors import InvalidInputError, ServerError
from polyseme.server.inference.pieces import Work
from polyseme.server.inference.works import Context, span_work, token_work
from polyseme.server.models.registry import Models
from polyseme.server.wire.calls import Call, StreamMethod
from polyseme.server.wire.status import told
from polyseme.server.wire.v1 import convert
from polyseme.server.wire.v1.chunks import Chunk, Packer, embed_chunks
from polyseme.server.wire.v1.embedding import EmbeddingService
from polyseme.v1 import embedding_service_pb2 as pb

_WINDOW = 8  # requests under way; enough for every runner to find work while replies are written
_READY = 2  # finished chunks that a request holds
_CHUNK_BYTES = 2 << 20  # well within the 4 MiB that gRPC clients accept unless told otherwise

Request: TypeAlias = pb.StreamEmbedRequest | ServerError
Write: TypeAlias = Callable[[pb.StreamEmbedResponse], Awaitable[None]]


class EmbeddingStream:
    """Answers streams with what the unary calls answer."""

    def __init__(self, unary: EmbeddingService, config: ServerConfig) -> None:
        self._unary = unary
        self._chunk_bytes = min(_CHUNK_BYTES, config.max_message_bytes // 2)

    @property
    def methods(self) -> dict[str, StreamMethod]:
        """By the name that the contract gives them."""
        return {"StreamEmbed": self.stream_embed}

    async def stream_embed(self, requests: AsyncIterator[Request], call: Call, write: Write) -> None:
        """Answer requests until there are no more."""
        turns: asyncio.Queue[_Turn | None] = asyncio.Queue(_WINDOW)
        models = self._unary.models  # of the whole stream, whatever is served before it ends
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._begin_all(requests, call, models, turns, tasks))
            while (turn := await turns.get()) is not None:
                await turn.write_all(write)

    async def _begin_all(
        self,
        requests: AsyncIterator[Request],
        call: Call,
        models: Models,
        turns: asyncio.Queue[_Turn | None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        sequence = 0
        async for request in requests:
            turn = _Turn(sequence)
            await turns.put(turn)
            tasks.create_task(self._answer(request, call, models, turn))
            sequence += 1
        await turns.put(None)

    async def _answer(self, request: Request, call: Call, models: Models, turn: _Turn) -> None:
        """Run one request; whatever happens, its turn ends."""
        try:
            if isinstance(request, ServerError):
                await turn.put(_refusal(request))
            else:
                await self._run(request, call.begun_now(), models, turn)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a panic in Rust is no Exception
            await turn.put(_refusal(error))
        await turn.end()

    async def _run(self, request: pb.StreamEmbedRequest, call: Call, models: Models, turn: _Turn) -> None:
        unary = self._unary
        context_of = partial(unary.context, call=call, patient=True, models=models)
        match request.WhichOneof("request"):
            case "embed":
                context = context_of(request.embed)
                reply = await unary.embed_in(context, request.embed, call)
                for first, chunk in embed_chunks(reply, self._chunk_bytes):
                    await turn.put(pb.StreamEmbedResponse(first_text=first, embed=chunk))
            case "tokens":
                context = context_of(request.tokens)
                async for response in self._chunks(token_work(request.tokens, context), context, call):
                    await turn.put(response)
            case "spans":
                context = context_of(request.spans)
                async for response in self._chunks(span_work(request.spans, context), context, call):
                    await turn.put(response)
            case _:
                raise InvalidInputError("request is not set; one of embed, tokens, spans is needed")

    async def _chunks(self, work: Work, context: Context, call: Call) -> AsyncIterator[pb.StreamEmbedResponse]:
        """Run a request's texts a portion at a time; gives chunks as they fill."""
        packer = Packer(self._chunk_bytes)
        first = 0
        for portion in portions(work.texts):
            for group in work.groups(await work.prepare(first, portion)):
                await work.run(group)
                for piece in group:
                    for chunk in packer.add(piece.index, piece.part):
                        yield _response(chunk, context, call)
            first += len(portion)
        for chunk in packer.flush():
            yield _response(chunk, context, call)


class _Turn:
    """The reply to one request: chunks on their way from who computes them to who writes them."""

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence
        self._chunks: asyncio.Queue[pb.StreamEmbedResponse | None] = asyncio.Queue(_READY)

    async def put(self, chunk: pb.StreamEmbedResponse) -> None:
        """Add a chunk; waits while enough are ready."""
        await self._chunks.put(chunk)

    async def end(self) -> None:
        """Say that there are no more."""
        await self._chunks.put(None)

    async def write_all(self, write: Write) -> None:
        """Write the chunks, numbered; each is held back until it is known whether it is the last."""
        index, held = 0, await self._chunks.get()
        while held is not None:
            following = await self._chunks.get()
            held.sequence, held.chunk_index, held.last_chunk = self._sequence, index, following is None
            await write(held)
            index, held = index + 1, following


def _response(chunk: Chunk, context: Context, call: Call) -> pb.StreamEmbedResponse:
    response = pb.StreamEmbedResponse(
        first_text=chunk.first_text, first_layer=chunk.first_layer, first_token=chunk.first_token
    )
    tokens = isinstance(chunk.parts[0], pb.TokenEmbeddings)
    result: Any = response.tokens if tokens else response.spans
    result.texts.extend(chunk.parts)
    result.timings.CopyFrom(convert.timings(context.watch, call.elapsed_s()))
    result.model.CopyFrom(convert.identity(context.model))
    return response


def _refusal(error: BaseException) -> pb.StreamEmbedResponse:
    failure = told(error)
    return pb.StreamEmbedResponse(
        error=pb.StreamError(
            code=failure.code.value[0], message=failure.message, retry_after_ms=math.ceil(failure.retry_after_s * 1e3)
        )
    )
