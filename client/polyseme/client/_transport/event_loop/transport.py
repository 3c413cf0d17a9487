"""Drive plans on one event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import closing
from typing import Any, TypeVar

import grpc

from polyseme.client._transport.connection import Connection
from polyseme.client._transport.event_loop.channel import AsyncChannel
from polyseme.client._transport.event_loop.stream import AsyncStream
from polyseme.client._transport.rpc import (
    EXHAUSTED,
    Calls,
    Emit,
    EndStream,
    OpenStream,
    Pause,
    Plan,
    Pull,
    Receive,
    Send,
    Step,
    resume,
)
from polyseme.client.errors import PolysemeError

_T = TypeVar("_T")


class AsyncTransport:
    """Drives plans over one channel."""

    def __init__(self, connection: Connection, channel_options: Sequence[tuple[str, Any]]) -> None:
        self._channel = AsyncChannel(connection, channel_options)

    async def close(self) -> None:
        """Close the channel; calls under way end with ClosedClientError."""
        await self._channel.close()

    def check_open(self) -> None:
        """Refuse to go on after close().

        Raises:
            ClosedClientError: it was called.
        """
        self._channel.check_open()

    async def run(self, plan: Plan[_T]) -> _T:
        """Do the steps of a plan until it returns.

        Raises:
            PolysemeError: a step failed and the plan did not handle it.
            asyncio.CancelledError: the task was cancelled; so are its calls.
        """
        driver = _Driver(self._channel)
        with closing(plan):
            try:
                step = next(plan)
                while True:
                    step = resume(plan, *await driver.attempt(step))
            except StopIteration as returned:
                result: _T = returned.value
                return result
            finally:
                await driver.close()

    async def iterate(self, plan: Plan[None], source: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
        """Do the steps of a plan, with the objects of the source; yield the values that it emits.

        Raises:
            PolysemeError: a step failed and the plan did not handle it.
            asyncio.CancelledError: the task was cancelled; so are its calls.
        """
        objects = aiter(source) if isinstance(source, AsyncIterable) else _as_async(source)
        driver = _Driver(self._channel)
        with closing(plan):
            try:
                step = next(plan)
                while True:
                    answer: Any = None
                    error: PolysemeError | None = None
                    if isinstance(step, Emit):
                        for value in step.values:
                            yield value
                    elif isinstance(step, Pull):
                        answer = await anext(objects, EXHAUSTED)
                    else:
                        answer, error = await driver.attempt(step)
                    step = resume(plan, answer, error)
            except StopIteration:
                return
            finally:
                await driver.close()


async def _as_async(source: Iterable[Any]) -> AsyncIterator[Any]:
    for one in source:
        yield one


class _Driver:
    """Does the steps of one plan, which has at most one stream open."""

    def __init__(self, channel: AsyncChannel) -> None:
        self._channel = channel
        self._stream: AsyncStream | None = None
        self._path = ""

    async def attempt(self, step: Step) -> tuple[bytes | None, PolysemeError | None]:
        """Do a step; give its result, and the error that it failed with."""
        try:
            return await self._do(step), None
        except PolysemeError as error:
            return None, error

    async def _do(self, step: Step) -> bytes | None:
        match step:
            case Calls():
                await self._channel.exchange(step)
            case OpenStream():
                self._stream, self._path = self._channel.stream(step.path), step.path
            case Pause():
                await self._channel.pause(step.seconds)
            case EndStream():
                await self.close(step.grace_s)
            case Send() if self._stream is not None:
                self._stream.send(step.request)
            case Receive() if self._stream is not None:
                try:
                    return await self._channel.unless_closed(self._stream.receive(step.timeout))
                except grpc.RpcError as failure:
                    raise self._channel.error(failure, self._path) from None
            case _:
                raise AssertionError(step)
        return None

    async def close(self, grace_s: float = 0.0) -> None:
        """End the stream, if one is open."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await self._channel.end(stream, grace_s)
