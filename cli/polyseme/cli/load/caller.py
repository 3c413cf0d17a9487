"""Call a server over the connections of one process: requests and replies as bytes, on grpc.aio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

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
    ("grpc.enable_retries", 0),  # else statuses are hidden
    ("grpc.enable_http_proxy", 0),  # its time is not the server's
]
_CONNECT_S: Final = 10.0
_Stub: TypeAlias = Any  # a multi-callable of either kind; types-grpcio has no common type


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSpec:
    """The calls to make.

    Attributes:
        target: the server.
        rpc: name of the method within the service.
        requests: the messages of each call, for calls in turn; one message each, except for streams.
        timeout_s: seconds for each call, from when it is sent.
        metadata: headers of each call.
        tls: files for TLS; None: plaintext.
    """

    target: str
    rpc: str
    requests: Sequence[Sequence[bytes]]
    timeout_s: float
    metadata: Sequence[tuple[str, str]] = ()
    tls: Tls | None = None


def _channel(spec: CallSpec) -> grpc.aio.Channel:
    if spec.tls is None:
        return grpc.aio.insecure_channel(spec.target, options=_OPTIONS)
    options = [*_OPTIONS, *spec.tls.options()]
    return grpc.aio.secure_channel(spec.target, spec.tls.credentials(), options=options)


class Caller:
    """Makes calls over a number of connections in turn.

    Args of the constructor: the calls to make; number of connections; index of the first request, and the step to the
    next.

    Attributes:
        details: the first message of each status code.
    """

    def __init__(self, spec: CallSpec, connections: int, *, first: int = 0, step: int = 1) -> None:
        self._spec = spec
        self._first, self._step = first, step
        self._channels = [_channel(spec) for _ in range(connections)]
        kind = "stream_stream" if spec.rpc == STREAM else "unary_unary"
        self._stubs: list[_Stub] = [getattr(channel, kind)(SERVICE + spec.rpc) for channel in self._channels]
        self._once = self._stream if spec.rpc == STREAM else self._unary
        self.details: dict[int, str] = {}

    async def __aenter__(self) -> Self:
        """Connect each connection with one call, whose status does not matter."""
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
        """Send a call by its number; give its status code and the bytes of its reply."""
        return await self._answer(number)

    async def _answer(self, number: int, wait_s: float | None = None) -> tuple[int, int]:
        stub = self._stubs[number % len(self._stubs)]
        messages = self._spec.requests[(self._first + number * self._step) % len(self._spec.requests)]
        how: dict[str, Any] = {"timeout": wait_s or self._spec.timeout_s, "metadata": tuple(self._spec.metadata)}
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
