"""The requests of a stream run side by side, and one reply to each, in order.

A bounded number of requests is under way, so that a reader who is slow stops the reading of new ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from polyseme.server.errors import ServerError
from polyseme.server.models.registry import Models
from polyseme.server.wire.calls.call import WORK_FACTOR, Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import Method
from polyseme.server.wire.calls.status import CallStatus, status_of

_WINDOW: Final = 8  # requests under way; enough for every runner to find work while replies are written


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedStream:
    """A method of a stream, made of the unary method that answers one request.

    Attributes:
        method: answers one request.
        executions: has the models that answer a stream.
        reply_bytes: gives the most bytes of memory that the reply to a request takes while it is made.
        refusal: makes the reply to a request that fails; None: the stream ends with its status.
    """

    method: Method
    executions: Executions
    reply_bytes: Callable[[Any, Models], int]
    refusal: Callable[[Any, CallStatus], Message] | None = None

    async def answer(
        self,
        requests: AsyncIterator[Any],
        call: Call,
        write: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer requests until there are no more."""
        replies: asyncio.Queue[tuple[asyncio.Task[Message | BaseException], int] | None] = asyncio.Queue(_WINDOW)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._begin_all(requests, call, replies, tasks))
            while (begun := await replies.get()) is not None:
                reply, held = await begun[0], begun[1]
                if isinstance(reply, BaseException):
                    raise reply
                await write(reply)
                call.share.give_back(held)

    async def _begin_all(
        self,
        requests: AsyncIterator[Any],
        call: Call,
        replies: asyncio.Queue[tuple[asyncio.Task[Message | BaseException], int] | None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        models = self.executions.models
        async for request in requests:
            held = self._memory(request, models)
            await call.share.take_when_free(held)
            await replies.put((tasks.create_task(self._answer(request, call.begun_now(models))), held))
        await replies.put(None)

    def _memory(self, request: Any, models: Models) -> int:  # noqa: ANN401
        if isinstance(request, ServerError):
            return 0
        return int(request.ByteSize()) * WORK_FACTOR + self.reply_bytes(request, models)

    async def _answer(self, request: Any, call: Call) -> Message | BaseException:  # noqa: ANN401
        """Run one request; an error takes its turn among the replies."""
        code = grpc.StatusCode.CANCELLED.name
        try:
            reply = await self.method(_readable(request), call)
            call.stopwatch.encoded()
            code = grpc.StatusCode.OK.name
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a panic in Rust is no Exception
            if self.refusal is None:
                code = error.status if isinstance(error, ServerError) else grpc.StatusCode.INTERNAL.name
                return error
            status = status_of(error, call.origin.request_id)
            code = status.code.name
            return self.refusal(request, status)
        else:
            return reply
        finally:
            call.trace.end(code, call.stopwatch.steps, call.origin.request_id)


def _readable(request: Any) -> Any:  # noqa: ANN401
    """Raise the error that stands in the place of a request that cannot be read."""
    if isinstance(request, ServerError):
        raise request
    return request
