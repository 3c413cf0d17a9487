"""Drive plans from any thread."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from typing import Any, TypeVar

import grpc

from polyseme.client._transport.blocking.channel import SyncChannel
from polyseme.client._transport.blocking.stream import SyncStream
from polyseme.client._transport.connection import Connection
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


class SyncTransport:
    """Drives plans over one channel."""

    def __init__(self, connection: Connection, channel_options: Sequence[tuple[str, Any]]) -> None:
        self._channel = SyncChannel(connection, channel_options)

    def close(self) -> None:
        """Close the channel; calls under way end with ClosedClientError."""
        self._channel.close()

    def check_open(self) -> None:
        """Refuse to go on after close().

        Raises:
            ClosedClientError: it was called.
        """
        self._channel.check_open()

    def run(self, plan: Plan[_T]) -> _T:
        """Do the steps of a plan until it returns.

        Raises:
            PolysemeError: a step failed and the plan did not handle it.
        """
        steps = self.iterate(plan, ())
        try:
            while True:
                next(steps)
        except StopIteration as returned:
            result: _T = returned.value
            return result

    def iterate(self, plan: Plan[_T], source: Iterable[Any]) -> Generator[Any, None, _T]:
        """Do the steps of a plan, with the objects of the source; yield the values that it emits.

        Raises:
            PolysemeError: a step failed and the plan did not handle it.
        """
        objects = iter(source)
        with closing(plan), closing(_Driver(self._channel)) as driver:
            try:
                step = next(plan)
                while True:
                    answer: Any = None
                    error: PolysemeError | None = None
                    if isinstance(step, Emit):
                        yield from step.values
                    elif isinstance(step, Pull):
                        answer = next(objects, EXHAUSTED)
                    else:
                        answer, error = driver.attempt(step)
                    step = resume(plan, answer, error)
            except StopIteration as returned:
                result: _T = returned.value
                return result


class _Driver:
    """Does the steps of one plan, which has at most one stream open."""

    def __init__(self, channel: SyncChannel) -> None:
        self._channel = channel
        self._stream: SyncStream | None = None
        self._path = ""

    def attempt(self, step: Step) -> tuple[bytes | None, PolysemeError | None]:
        """Do a step; give its result, and the error that it failed with."""
        try:
            return self._do(step), None
        except PolysemeError as error:
            return None, error

    def _do(self, step: Step) -> bytes | None:
        match step:
            case Calls():
                self._channel.exchange(step)
            case OpenStream():
                self._stream, self._path = self._channel.stream(step.path), step.path
            case Pause():
                self._channel.pause(step.seconds)
            case EndStream():
                self.close(step.grace_s)
            case Send() if self._stream is not None:
                self._stream.send(step.request)
            case Receive() if self._stream is not None:
                try:
                    return self._stream.receive(step.timeout)
                except grpc.RpcError as failure:
                    raise self._channel.error(failure, self._path) from None
            case _:
                raise AssertionError(step)
        return None

    def close(self, grace_s: float = 0.0) -> None:
        """End the stream, if one is open."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end(grace_s)
