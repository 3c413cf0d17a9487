"""One process's connections: requests and replies as bytes, on grpc.aio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import grpc
import grpc.aio

from polyseme.cli.arguments.tls import Tls
from polyseme.v1 import embedding_service_pb2

SERVICE: Final = "/polyseme.v1.EmbeddingService/"
STREAM: Final = "StreamEmbed"

_OPTIONS: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # else channels of one process share one connection
    ("grpc.enable_retries", 0),  # every status is to be seen
]
_CONNECT_S: Final = 10.0
_Stub = Any  # a multi-callable of either kind; types-grpcio has no common one


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What to call, and with what.

    Attributes:
        target: of the server.
        rpc: name of the method within the service.
        requests: the messages of each call, sent in turn; one message but for streams.
        timeout_s: of each call, from when it is sent.
        metadata: sent with each call.
        tls: what TLS is done with; None for plaintext.
    """

    target: str
    rpc: str
    requests: Sequence[Sequence[bytes]]
    timeout_s: float
    metadata: Sequence[tuple[str, str]] = ()
    tls: Tls | None = None


def _channel(calls: Calls) -> grpc.aio.Channel:
    if calls.tls is None:
        return grpc.aio.insecure_channel(calls.target, options=_OPTIONS)
    options = [*_OPTIONS, *calls.tls.options()]
    return grpc.aio.secure_channel(calls.target, calls.tls.credentials(), options=options)


class Caller:
    """Calls over so many connections in turn, starting with the request `first`."""

    def __init__(self, calls: Calls, connections: int, *, first: int = 0, step: int = 1) -> None:
        self._calls = calls
        self._first, self._step = first, step
        self._channels = [_channel(calls) for _ in range(connections)]
        kind = "stream_stream" if calls.rpc == STREAM else "unary_unary"
        self._stubs: list[_Stub] = [getattr(channel, kind)(SERVICE + calls.rpc) for channel in self._channels]
        self._once = self._stream if calls.rpc == STREAM else self._unary
        self.details: dict[int, str] = {}

    async def __aenter__(self) -> Self:
        """Connect, each connection with one call, whose status does not matter here."""
        for number in range(len(self._stubs)):
            await self._answer(number, wait_s=_CONNECT_S)
        self.details.clear()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        for channel in self._channels:
            await channel.close()

    async def __call__(self, number: int) -> tuple[int, int]:
        """Send call number n; gives its status code and the bytes of its reply."""
        return await self._answer(number)

    async def _answer(self, number: int, wait_s: float | None = None) -> tuple[int, int]:
        stub = self._stubs[number % len(self._stubs)]
        messages = self._calls.requests[(self._first + number * self._step) % len(self._calls.requests)]
        how: dict[str, Any] = {"timeout": wait_s or self._calls.timeout_s, "metadata": tuple(self._calls.metadata)}
        if wait_s:
            how["wait_for_ready"] = True
        try:
            return await self._once(stub, messages, how)
        except grpc.aio.AioRpcError as error:
            code: int = error.code().value[0]
            self.details.setdefault(code, error.details() or "")
            return code, 0

    async def _unary(self, stub: _Stub, messages: Sequence[bytes], how: dict[str, Any]) -> tuple[int, int]:
        reply = await stub(messages[0], **how)
        return 0, len(reply)

    async def _stream(self, stub: _Stub, messages: Sequence[bytes], how: dict[str, Any]) -> tuple[int, int]:
        code = size = 0
        async for reply in stub(iter(messages), **how):
            size += len(reply)
            error = embedding_service_pb2.StreamEmbedResponse.FromString(reply).error
            if error.code and not code:
                code = error.code
                self.details.setdefault(code, error.message)
        return code, size
