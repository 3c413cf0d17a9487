"""Drives plans over a grpc.aio channel, on one event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from typing import Any, TypeVar

import grpc
import grpc.aio

from polyseme.client._connection import Connection
from polyseme.client._rpc import MAX_IN_FLIGHT, Calls, Plan
from polyseme.client._status import error_from_status
from polyseme.client.errors import ClosedClientError, PolysemeError

_T = TypeVar("_T")


class AsyncTransport:
    """One channel, opened at the first call: a grpc.aio channel belongs to the loop that runs then."""

    def __init__(self, connection: Connection, channel_options: Sequence[tuple[str, Any]]) -> None:
        self._connection = connection
        self._options = channel_options
        self._stubs: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._channel: grpc.aio.Channel | None = None
        self._closed = False

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def run(self, plan: Plan[_T]) -> _T:
        """Do what the plan asks for until it returns.

        Raises:
            PolysemeError: a call failed and the plan did not handle it.
            asyncio.CancelledError: the task was cancelled; so are its calls.
        """
        with closing(plan):
            try:
                calls = next(plan)
                while True:
                    try:
                        await self._exchange(calls)
                    except PolysemeError as error:
                        calls = plan.throw(error)
                    else:
                        calls = next(plan)
            except StopIteration as returned:
                result: _T = returned.value
                return result

    async def _exchange(self, calls: Calls) -> None:
        """Keep MAX_IN_FLIGHT calls under way; the first error cancels the others."""
        stub = self._stub(calls.path)
        pending: deque[grpc.aio.UnaryUnaryCall[bytes, bytes]] = deque()
        try:
            for request in calls.requests:
                if len(pending) == MAX_IN_FLIGHT:
                    calls.receive(await pending[0])
                    pending.popleft()
                pending.append(stub(request, timeout=calls.timeout, metadata=self._connection.metadata))
            while pending:
                calls.receive(await pending[0])
                pending.popleft()
        except grpc.RpcError as failure:
            raise error_from_status(failure, self._connection.target) from failure
        finally:
            for call in pending:
                call.cancel()

    def _stub(self, path: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
        if self._closed:
            raise ClosedClientError(f"the client of {self._connection.target} is closed")
        if self._channel is None:
            self._channel = self._open()
        stub = self._stubs.get(path)
        if stub is None:
            stub = self._stubs[path] = self._channel.unary_unary(path)
        return stub

    def _open(self) -> grpc.aio.Channel:
        target, credentials = self._connection.target, self._connection.credentials
        if credentials is None:
            return grpc.aio.insecure_channel(target, options=self._options)
        return grpc.aio.secure_channel(target, credentials, options=self._options)
