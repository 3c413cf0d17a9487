"""Do the steps of plans on a grpc.aio channel, on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, TypeVar

import grpc
import grpc.aio

from polyseme.client._transport.connection import Connection
from polyseme.client._transport.event_loop.stream import AsyncStream
from polyseme.client._transport.forks import FORKS
from polyseme.client._transport.rpc import MAX_IN_FLIGHT, Calls
from polyseme.client._transport.sending_again import Again
from polyseme.client.errors import EventLoopError, PolysemeError

_T = TypeVar("_T")


class _Started(NamedTuple):
    request: bytes
    call: grpc.aio.UnaryUnaryCall[bytes, bytes]
    at: float


class AsyncChannel:
    """One channel, opened at the first call, and again in the next event loop once the one before has ended."""

    def __init__(self, connection: Connection, options: Sequence[tuple[str, Any]]) -> None:
        self._connection = connection
        self._options = options
        self._closed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: grpc.aio.Channel | None = None
        self._stubs: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._streams: set[AsyncStream] = set()

    async def close(self) -> None:
        """Close the channel; calls and pauses under way end with ClosedClientError."""
        self._closed.set()
        if FORKS.broken or self._loop is not asyncio.get_running_loop():
            return  # a channel of a loop that has ended closes as garbage
        for stream in tuple(self._streams):
            stream.cancel()
        if self._channel is not None:
            await self._channel.close()
            FORKS.end_lasting(self._channel)

    def check_open(self) -> None:
        """Refuse to go on after close(), and in a process that cannot use gRPC.

        Raises:
            ClosedClientError: it was called.
            ForkedProcessError: the parent was inside gRPC when it forked this process.
        """
        if self._closed.is_set():
            raise self._connection.closed_error()
        FORKS.check()

    async def exchange(self, calls: Calls) -> None:
        """Make the calls, MAX_IN_FLIGHT at a time; the first error cancels the others.

        Raises:
            PolysemeError: a call failed.
        """
        pending: deque[_Started] = deque()
        try:
            for request in calls.requests:
                if len(pending) == MAX_IN_FLIGHT:
                    await self._settle(pending, calls)
                pending.append(self._start(request, calls.path, calls.timeout))
            while pending:
                await self._settle(pending, calls)
        finally:
            for started in pending:
                started.call.cancel()

    def stream(self, path: str) -> AsyncStream:
        """Open a stream."""
        stub: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._opened().stream_stream(path)
        stream = AsyncStream(stub, self._connection.metadata, self._connection.target)
        self._streams.add(stream)
        return stream

    async def end(self, stream: AsyncStream, grace_s: float) -> None:
        """End a stream."""
        self._streams.discard(stream)
        await stream.end(grace_s)

    async def pause(self, seconds: float) -> None:
        """Wait this many seconds; close() ends it with ClosedClientError."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return
        raise self._connection.closed_error()

    def error(self, failure: grpc.RpcError, path: str, timeout: float | None = None) -> PolysemeError:
        """Translate the failure of a call; if close() cancelled it, to ClosedClientError."""
        return self._connection.error(failure, path, timeout, closed=self._closed.is_set())

    async def unless_closed(self, awaited: Awaitable[_T]) -> _T:
        """Wait for a call; tell a closed channel from a cancelled task.

        On close(), grpc.aio cancels the task that awaits a call, as if someone had cancelled the task itself.

        Raises:
            ClosedClientError: the channel was closed.
        """
        task = asyncio.current_task()
        requests = task.cancelling() if task else 0
        try:
            return await awaited
        except asyncio.CancelledError:
            if self._closed.is_set() and (task.cancelling() if task else 0) == requests:
                raise self._connection.closed_error() from None
            raise

    async def _settle(self, pending: deque[_Started], calls: Calls) -> None:
        """Receive the first reply; send its call again where and when `Again` says.

        Raises:
            PolysemeError: it failed for good.
        """
        again = Again(calls, pending[0].at)
        while True:
            try:
                reply = await self.unless_closed(pending[0].call)
                break
            except grpc.RpcError as failure:
                error = self.error(failure, calls.path, calls.timeout)
                if (wait := again.delay(error, time.monotonic())) is None:
                    raise error from None
            await self.pause(wait)
            pending[0] = self._start(pending[0].request, calls.path, again.left(time.monotonic()))
        calls.receive(reply)
        pending.popleft()

    def _start(self, request: bytes, path: str, timeout: float | None) -> _Started:
        channel, stub = self._opened(), self._stubs.get(path)
        if stub is None:
            stub = self._stubs[path] = channel.unary_unary(path)
        return _Started(request, stub(request, timeout=timeout, metadata=self._connection.metadata), time.monotonic())

    def _opened(self) -> grpc.aio.Channel:
        self.check_open()
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and self._loop.is_running():
                target = self._connection.target
                raise EventLoopError(
                    f"{target}: another event loop uses this AsyncClient; make one in each loop", target=target
                )
            self._closed = asyncio.Event()  # an Event too belongs to the loop that first waited for it
            self._loop, self._channel, self._stubs, self._streams = loop, None, {}, set()
        if self._channel is None:
            target, credentials = self._connection.target, self._connection.credentials
            if credentials is None:
                self._channel = grpc.aio.insecure_channel(target, options=self._options)
            else:
                self._channel = grpc.aio.secure_channel(target, credentials, options=self._options)
            FORKS.begin_lasting(self._channel)
        return self._channel
