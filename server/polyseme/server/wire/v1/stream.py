"""StreamEmbed: requests are read ahead, run side by side, and answered in order, in chunks.

A bounded number of requests is under way and each holds a bounded number of finished chunks, so that a reader who is
slow stops his own requests, then the reading of new ones, and no memory grows. A request that fails answers with an
error of its own; the stream goes on. Where the queue is full a stream waits for room: it is refused nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias

import grpc

from polyseme.server.errors import InvalidInputError, ServerError, spelled
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.parts.embedding import PartEmbedding
from polyseme.server.models.registry import Models
from polyseme.server.wire.calls.call import WORK_FACTOR, Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import StreamMethod
from polyseme.server.wire.calls.status import CallStatus, status_of
from polyseme.server.wire.v1 import replies
from polyseme.server.wire.v1.chunks import Chunk, Packer, embed_chunks
from polyseme.server.wire.v1.embedding import EmbeddingService
from polyseme.server.wire.v1.replies import TextReply
from polyseme.v1 import embedding_service_pb2 as pb

_WINDOW: Final = 8  # requests under way; enough for every runner to find work while replies are written
_READY: Final = 2  # finished chunks that a request holds
_CHUNK_BYTES: Final = 2 << 20  # well within the 4 MiB that gRPC clients accept unless told otherwise

Request: TypeAlias = pb.StreamEmbedRequest | ServerError
Write: TypeAlias = Callable[[pb.StreamEmbedResponse], Awaitable[None]]


class EmbeddingStream:
    """Answers streams with what the unary calls answer."""

    def __init__(self, unary: EmbeddingService, executions: Executions) -> None:
        self._unary = unary
        self._executions = executions
        self._chunk_bytes = min(_CHUNK_BYTES, executions.limits.max_reply_bytes // 2)

    @property
    def methods(self) -> dict[str, StreamMethod]:
        """By the name that the contract gives them."""
        return {"StreamEmbed": self.stream_embed}

    async def stream_embed(self, messages: AsyncIterator[Request], call: Call, write: Write) -> None:
        """Answer requests until there are no more."""
        answers: asyncio.Queue[_Answer | None] = asyncio.Queue(_WINDOW)
        models = self._executions.models  # these answer the whole stream, whatever is served before it ends
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._begin_all(messages, call, models, answers, tasks))
            while (answer := await answers.get()) is not None:
                await answer.write_all(write)
                call.share.give_back(answer.held)

    async def _begin_all(
        self,
        messages: AsyncIterator[Request],
        call: Call,
        models: Models,
        answers: asyncio.Queue[_Answer | None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        sequence = 0
        async for request in messages:
            # Begun in order, so that the answer that is written next never waits for one behind it.
            answer = _Answer(sequence, self._memory(request))
            await call.share.take_when_free(answer.held)
            await answers.put(answer)
            tasks.create_task(self._answer(request, call.begun_now(models), answer))
            sequence += 1
        await answers.put(None)

    def _memory(self, request: Request) -> int:
        """Give the bytes that a request and the chunks of its answer take at most."""
        if isinstance(request, ServerError):
            return 0
        return request.ByteSize() * WORK_FACTOR + (_READY + 2) * self._chunk_bytes

    async def _answer(self, request: Request, call: Call, answer: _Answer) -> None:
        """Run one request; whatever happens, its answer ends."""
        code = grpc.StatusCode.CANCELLED.name
        try:
            await self._run(request, call, answer)
            call.stopwatch.encoded()
            code = grpc.StatusCode.OK.name
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a panic in Rust is no Exception
            status = status_of(error, call.origin.request_id)
            code = status.code.name
            await answer.put(_refusal(status, call.origin.request_id))
        finally:
            call.trace.end(code, call.stopwatch.steps, call.origin.request_id)
        await answer.end()

    async def _run(self, request: Request, call: Call, answer: _Answer) -> None:
        if isinstance(request, ServerError):
            raise request
        unary = self._unary
        match request.WhichOneof("request"):
            case "embed":
                execution = unary.execution(request.embed, call)
                reply = await unary.embed_in(execution, request.embed, call, in_chunks=True)
                for first, chunk in embed_chunks(reply, self._chunk_bytes):
                    await answer.put(pb.StreamEmbedResponse(first_text=first, embed=chunk))
            case "tokens":
                execution = unary.execution(request.tokens, call)
                await self._put_chunks(unary.tokens_of(request.tokens, execution), execution, call, answer)
            case "spans":
                execution = unary.execution(request.spans, call)
                await self._put_chunks(unary.spans_of(request.spans, execution), execution, call, answer)
            case _:
                raise InvalidInputError("request is not set; one of embed, tokens, spans is needed")

    async def _put_chunks(
        self, embedding: PartEmbedding[Any], execution: Execution, call: Call, answer: _Answer
    ) -> None:
        """Run a request's texts a portion at a time; puts chunks as they fill."""
        packer = Packer(self._chunk_bytes)
        reply: TextReply
        async for index, reply in embedding.in_turn():
            for chunk in packer.add(index, reply):
                await answer.put(_response(chunk, execution, call))
        for chunk in packer.flush():
            await answer.put(_response(chunk, execution, call))


class _Answer:
    """The reply to one request: chunks on their way from who computes them to who writes them.

    Attributes:
        held: bytes of memory that are counted for it.
    """

    def __init__(self, sequence: int, held: int) -> None:
        self.held = held
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


def _response(chunk: Chunk, execution: Execution, call: Call) -> pb.StreamEmbedResponse:
    response = pb.StreamEmbedResponse(
        first_text=chunk.first_text, first_layer=chunk.first_layer, first_token=chunk.first_token
    )
    tokens = isinstance(chunk.texts[0], pb.TokenEmbeddings)
    result: Any = response.tokens if tokens else response.spans
    result.texts.extend(chunk.texts)
    result.timings.CopyFrom(replies.timings(execution.stopwatch, call.elapsed_s()))
    result.model.CopyFrom(replies.identity(execution.model))
    return response


def _refusal(status: CallStatus, request_id: str) -> pb.StreamEmbedResponse:
    return pb.StreamEmbedResponse(
        error=pb.StreamError(
            code=status.code.value[0],
            message=status.message,
            retry_after_ms=math.ceil(status.retry_after_s * 1e3),
            field=spelled(status.path),
            request_id=request_id,
        )
    )
