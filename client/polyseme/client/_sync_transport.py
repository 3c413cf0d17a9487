"""Drives plans over a grpc channel, from any thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from typing import Any, TypeVar

import grpc

from polyseme.client._connection import Connection
from polyseme.client._rpc import MAX_IN_FLIGHT, Calls, Plan
from polyseme.client._status import error_from_status
from polyseme.client.errors import ClosedClientError, PolysemeError

_T = TypeVar("_T")


class SyncTransport:
    """One channel, opened now and connected at the first call."""

    def __init__(self, connection: Connection, channel_options: Sequence[tuple[str, Any]]) -> None:
        self._connection = connection
        self._stubs: dict[str, grpc.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._closed = False
        target, credentials = connection.target, connection.credentials
        if credentials is None:
            self._channel = grpc.insecure_channel(target, options=channel_options)
        else:
            self._channel = grpc.secure_channel(target, credentials, options=channel_options)

    def close(self) -> None:
        """Close the channel; calls under way end with CancelledError."""
        self._closed = True
        self._channel.close()

    def run(self, plan: Plan[_T]) -> _T:
        """Do what the plan asks for until it returns.

        Raises:
            PolysemeError: a call failed and the plan did not handle it.
        """
        with closing(plan):
            try:
                calls = next(plan)
                while True:
                    try:
                        self._exchange(calls)
                    except PolysemeError as error:
                        calls = plan.throw(error)
                    else:
                        calls = next(plan)
            except StopIteration as returned:
                result: _T = returned.value
                return result

    def _exchange(self, calls: Calls) -> None:
        try:
            if calls.count == 1:
                self._call(calls)
            else:
                self._pipeline(calls)
        except grpc.RpcError as failure:
            raise error_from_status(failure, self._connection.target) from failure

    def _call(self, calls: Calls) -> None:
        """Make one call without a future, which costs a third less."""
        stub = self._stub(calls.path)
        for request in calls.requests:
            calls.receive(stub(request, timeout=calls.timeout, metadata=self._connection.metadata))

    def _pipeline(self, calls: Calls) -> None:
        """Keep MAX_IN_FLIGHT calls under way; the first error cancels the others."""
        stub = self._stub(calls.path)
        pending: deque[grpc.Future[bytes]] = deque()
        try:
            for request in calls.requests:
                if len(pending) == MAX_IN_FLIGHT:
                    calls.receive(pending[0].result())
                    pending.popleft()
                pending.append(stub.future(request, timeout=calls.timeout, metadata=self._connection.metadata))
            while pending:
                calls.receive(pending[0].result())
                pending.popleft()
        finally:
            for future in pending:
                future.cancel()

    def _stub(self, path: str) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
        if self._closed:
            raise ClosedClientError(f"the client of {self._connection.target} is closed")
        stub = self._stubs.get(path)
        if stub is None:
            stub = self._stubs[path] = self._channel.unary_unary(path)
        return stub
