"""One stream of a grpc.aio channel, on which only receiving waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import grpc
import grpc.aio

from polyseme.client.errors import UnavailableError

_T = TypeVar("_T")
_Replies: TypeAlias = asyncio.Queue[bytes | grpc.RpcError | asyncio.CancelledError | None]

# grpc.aio reports this where it could not write a request, even in place of a status that the server sent before: https://github.com/grpc/grpc/issues/36066
_WRITE_FAILED: Final = "Internal error from Core"


class AsyncStream:
    """A call whose requests are queued and whose replies a task collects, so that waiting for a reply can time out.

    Both queues are as short as the window of unanswered requests that the caller keeps.
    """

    def __init__(
        self, stub: grpc.aio.StreamStreamMultiCallable[bytes, bytes], metadata: Sequence[tuple[str, str]], target: str
    ) -> None:
        self._target = target
        self._requests: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._replies: _Replies = asyncio.Queue()
        self._call: Any = stub(_drain(self._requests), metadata=metadata)
        self._first_status: grpc.aio.AioRpcError | None = None
        self._call.add_done_callback(self._keep_status)
        self._pump = asyncio.create_task(_pump(self._call, self._replies), name="polyseme-stream")

    def send(self, request: bytes | None) -> None:
        """Queue a request; None: no more follow."""
        self._requests.put_nowait(request)

    async def receive(self, timeout: float | None) -> bytes | None:  # noqa: ASYNC109  None is returned in time, no TimeoutError
        """Wait for a reply, at most this many seconds; None: none came in time.

        Raises:
            grpc.RpcError: the stream ended with this status.
            UnavailableError: it ended without one.
            asyncio.CancelledError: this side cancelled it.
        """
        if timeout == 0:
            await asyncio.sleep(0)  # lets the task that collects replies run
            if self._replies.empty():
                return None
        try:
            async with asyncio.timeout(timeout):
                reply = await self._replies.get()
        except TimeoutError:
            return None
        if isinstance(reply, bytes):
            return reply
        if reply is None:
            raise UnavailableError(f"{self._target}: the server ended the stream", target=self._target)
        if isinstance(reply, asyncio.CancelledError):
            raise reply
        status = self._first_status or reply
        if isinstance(status, grpc.aio.AioRpcError) and status.details() == _WRITE_FAILED:
            raise UnavailableError(f"{self._target}: the stream broke", target=self._target)
        raise status

    async def end(self, grace_s: float) -> None:
        """Wait at most this many seconds for the server to end the stream, then cancel it and its task."""
        self._requests.put_nowait(None)
        try:
            if grace_s:
                await asyncio.wait({self._pump}, timeout=grace_s)
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Cancel the call; a task that waits for a reply gets asyncio.CancelledError."""
        self._call.cancel()

    def _keep_status(self, call: Any) -> None:  # noqa: ANN401  as grpc.aio types it
        code = _result(call.code())
        if code is not None and code is not grpc.StatusCode.OK:
            metadata = _result(call.initial_metadata()) or grpc.aio.Metadata()
            trailers = _result(call.trailing_metadata()) or grpc.aio.Metadata()
            self._first_status = grpc.aio.AioRpcError(code, metadata, trailers, details=_result(call.details()))


def _result(coroutine: Coroutine[Any, Any, _T]) -> _T | None:
    """Run a coroutine that does not wait, and give its result; None: it would wait."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        result: _T = returned.value
        return result
    coroutine.close()
    return None


async def _drain(requests: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (request := await requests.get()) is not None:
        yield request


async def _pump(call: Any, replies: _Replies) -> None:  # noqa: ANN401  as grpc.aio's iterator is not generic enough
    try:
        async for reply in call:
            replies.put_nowait(reply)
    except grpc.RpcError as failure:
        replies.put_nowait(failure)
    except asyncio.CancelledError as cancelled:  # of the call: nobody cancels this task but the loop that ends
        replies.put_nowait(cancelled)
    else:
        replies.put_nowait(None)
