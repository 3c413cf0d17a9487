"""The kinds of calls that a server meets in a soak: what callers of good will make, and what comes of leaving early."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import grpc
from bench.lib.closed_loop import SERVICE
from tests.server.frames import mutated

from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

CUT = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
TIMEOUT_S = 60.0
OF_A_STREAM = 3  # requests


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call.

    Attributes:
        channel: to the server.
        texts: what is sent.
        draw: decides when the caller leaves, and what garbage is.
        patience_s: within which a caller who leaves has left, in seconds.
    """

    channel: grpc.aio.Channel
    texts: list[str]
    draw: random.Random
    patience_s: float = field(default=0.02, kw_only=True)

    @property
    def request(self) -> bytes:
        """Embed of the texts."""
        return pb.EmbedRequest(texts=self.texts, text_options=CUT).SerializeToString()

    @property
    def embed(self) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
        """The method."""
        return self.channel.unary_unary(SERVICE + "Embed")


async def plain(caller: Caller) -> None:
    """Vectors of texts."""
    await caller.embed(caller.request, timeout=TIMEOUT_S)


async def words(caller: Caller) -> None:
    """Vectors of all words."""
    inputs = [pb.SpanInput(text=text) for text in caller.texts]
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = caller.channel.unary_unary(SERVICE + "EmbedSpans")
    await method(pb.EmbedSpansRequest(inputs=inputs, text_options=CUT).SerializeToString(), timeout=TIMEOUT_S)


async def cancelled(caller: Caller) -> None:
    """A call that is cancelled on its way."""
    call = caller.embed(caller.request, timeout=TIMEOUT_S)
    await asyncio.sleep(caller.draw.uniform(0, caller.patience_s))
    call.cancel()


async def late(caller: Caller) -> None:
    """A call whose deadline may pass."""
    await caller.embed(caller.request, timeout=caller.draw.uniform(0.001, caller.patience_s))


async def garbage(caller: Caller) -> None:
    """A request with bytes changed."""
    await caller.embed(mutated(caller.request, caller.draw), timeout=TIMEOUT_S)


async def stream(caller: Caller) -> None:
    """A stream that is read to its end."""
    call = await _begun(caller)
    await call.done_writing()
    while await call.read() is not grpc.aio.EOF:
        pass


async def left_stream(caller: Caller) -> None:
    """A stream that is left after the first answer."""
    call = await _begun(caller)
    await call.read()
    call.cancel()


async def _begun(caller: Caller) -> grpc.aio.StreamStreamCall[bytes, bytes]:
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = caller.channel.stream_stream(SERVICE + "StreamEmbed")
    call = method(timeout=TIMEOUT_S)
    request = pb.EmbedRequest(texts=caller.texts, text_options=CUT)
    for _ in range(OF_A_STREAM):
        await call.write(pb.StreamEmbedRequest(embed=request).SerializeToString())
    return call


Kind: TypeAlias = Callable[[Caller], Awaitable[None]]
KINDS: Final[dict[str, Kind]] = {
    kind.__name__: kind for kind in (plain, words, garbage, stream, late, cancelled, left_stream)
}
