"""Do the steps of plans on a grpc channel, from any thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc

from polyseme.client._transport.blocking.stream import SyncStream
from polyseme.client._transport.blocking.stub import SyncStub
from polyseme.client._transport.connection import Connection
from polyseme.client._transport.forks import FORKS
from polyseme.client._transport.rpc import MAX_IN_FLIGHT, Calls
from polyseme.client._transport.sending_again import Again
from polyseme.client.errors import PolysemeError


class _Started(NamedTuple):
    request: bytes
    future: grpc.Future[bytes]
    at: float


class SyncChannel:
    """One channel, opened at the first call, and again in a forked process: connections are their process's own."""

    def __init__(self, connection: Connection, options: Sequence[tuple[str, Any]]) -> None:
        self._connection = connection
        self._options = options
        self._closed = threading.Event()
        self._generation = FORKS.generation
        self._channel: grpc.Channel | None = None
        self._stubs: dict[str, SyncStub] = {}

    def close(self) -> None:
        """Close the channel; calls and pauses under way end with ClosedClientError."""
        self._closed.set()
        with FORKS.opening:
            channel = self._channel if self._generation == FORKS.generation else None
        if channel is not None:
            channel.close()

    def check_open(self) -> None:
        """Refuse to go on after close(), and in a process that cannot use gRPC.

        Raises:
            ClosedClientError: it was called.
            ForkedProcessError: the parent was inside gRPC when it forked this process.
        """
        if self._closed.is_set():
            raise self._connection.closed_error()
        FORKS.check()

    def exchange(self, calls: Calls) -> None:
        """Make the calls, MAX_IN_FLIGHT at a time; the first error cancels the others.

        Raises:
            PolysemeError: a call failed.
        """
        if calls.count == 1:
            self._call(calls)
        else:
            self._pipeline(calls)

    def stream(self, path: str) -> SyncStream:
        """Open a stream."""
        stub: grpc.StreamStreamMultiCallable[bytes, bytes] = self._opened().stream_stream(path)
        return SyncStream(stub, self._connection.metadata, self._connection.target)

    def pause(self, seconds: float) -> None:
        """Wait this many seconds; close() ends it with ClosedClientError."""
        self._closed.wait(seconds)
        self.check_open()

    def error(self, failure: grpc.RpcError, path: str, timeout: float | None = None) -> PolysemeError:
        """Translate the failure of a call; if close() cancelled it, to ClosedClientError."""
        return self._connection.error(failure, path, timeout, closed=self._closed.is_set())

    def _call(self, calls: Calls) -> None:
        """Make one call without a future, which costs a third less."""
        (request,) = calls.requests
        began = time.monotonic()
        try:
            reply = self._stub(calls.path)(request, timeout=calls.timeout, metadata=self._connection.metadata)
        except grpc.RpcError as failure:
            reply = self._send_again(request, failure, began, calls)
        calls.receive(reply)

    def _pipeline(self, calls: Calls) -> None:
        """Keep MAX_IN_FLIGHT calls under way; the first error cancels the others."""
        pending: deque[_Started] = deque()
        try:
            for request in calls.requests:
                if len(pending) == MAX_IN_FLIGHT:
                    self._settle(pending, calls)
                pending.append(self._start(request, calls.path, calls.timeout))
            while pending:
                self._settle(pending, calls)
        finally:
            for started in pending:
                started.future.cancel()

    def _settle(self, pending: deque[_Started], calls: Calls) -> None:
        """Receive the first reply."""
        request, future, began = pending[0]
        try:
            reply = future.result()
        except grpc.RpcError as failure:
            reply = self._send_again(request, failure, began, calls)
        calls.receive(reply)
        pending.popleft()

    def _send_again(self, request: bytes, failure: grpc.RpcError, began: float, calls: Calls) -> bytes:
        """Send a failed call again where and when `Again` says; give its reply.

        Raises:
            PolysemeError: it failed for good.
        """
        again = Again(calls, began)
        while True:
            error = self.error(failure, calls.path, calls.timeout)
            if (wait := again.delay(error, time.monotonic())) is None:
                raise error from None
            self.pause(wait)
            timeout = again.left(time.monotonic())
            try:
                return self._stub(calls.path)(request, timeout=timeout, metadata=self._connection.metadata)
            except grpc.RpcError as another:
                failure = another

    def _start(self, request: bytes, path: str, timeout: float | None) -> _Started:
        future = self._stub(path).future(request, timeout=timeout, metadata=self._connection.metadata)
        return _Started(request, future, time.monotonic())

    def _stub(self, path: str) -> SyncStub:
        channel, stub = self._opened(), self._stubs.get(path)
        if stub is None:
            stub = self._stubs[path] = SyncStub(channel.unary_unary(path))
        return stub

    def _opened(self) -> grpc.Channel:
        self.check_open()
        if self._channel is not None and self._generation == FORKS.generation:
            return self._channel
        with FORKS.opening:
            if self._generation != FORKS.generation:
                self._closed = threading.Event()  # the lock in it may be held by a thread that is not here
                self._generation, self._channel, self._stubs = FORKS.generation, None, {}
            self.check_open()
            if self._channel is None:
                target, credentials = self._connection.target, self._connection.credentials
                if credentials is None:
                    self._channel = grpc.insecure_channel(target, options=self._options)
                else:
                    self._channel = grpc.secure_channel(target, credentials, options=self._options)
            return self._channel
