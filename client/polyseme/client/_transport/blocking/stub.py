"""One unary method of a grpc channel, whose calls no fork interrupts."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from polyseme.client._transport.forks import FORKS


class SyncStub:
    """Calls a method; a fork of the process waits for its calls, and they wait for the fork."""

    def __init__(self, stub: grpc.UnaryUnaryMultiCallable[bytes, bytes]) -> None:
        self._stub = stub

    def __call__(self, request: bytes, *, timeout: float | None, metadata: Sequence[tuple[str, str]]) -> bytes:
        """Call, and wait for the reply.

        Raises:
            grpc.RpcError: the call ended with this status.
        """
        with FORKS:
            return self._stub(request, timeout=timeout, metadata=tuple(metadata))

    def future(
        self, request: bytes, *, timeout: float | None, metadata: Sequence[tuple[str, str]]
    ) -> grpc.Future[bytes]:
        """Start a call."""
        FORKS.enter()
        try:
            future = self._stub.future(request, timeout=timeout, metadata=tuple(metadata))
        except BaseException:
            FORKS.leave()
            raise
        future.add_done_callback(lambda _: FORKS.leave())
        return future
