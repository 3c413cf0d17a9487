"""How calls end: many at once, as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

IN_FLIGHT = 100
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a call: its status, what was said, and the reply, if there is one."""

    code: grpc.StatusCode
    details: str = ""
    reply: bytes = b""


def send_all(target: str, calls: Sequence[tuple[str, bytes]], in_flight: int = IN_FLIGHT) -> list[Ended]:
    """Make calls, `Service/Method` of polyseme.v1 and a request; gives their ends, in their order."""
    return asyncio.run(_send_all(target, calls, in_flight))


async def _send_all(target: str, calls: Sequence[tuple[str, bytes]], in_flight: int) -> list[Ended]:
    ended: list[Ended | None] = [None] * len(calls)
    left = iter(enumerate(calls))
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:

        async def caller() -> None:
            for index, (method, request) in left:
                stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/polyseme.v1.{method}")
                try:
                    ended[index] = Ended(grpc.StatusCode.OK, reply=await stub(request, timeout=300))
                except grpc.aio.AioRpcError as error:
                    ended[index] = Ended(error.code(), error.details() or "")

        await asyncio.gather(*(caller() for _ in range(in_flight)))
    return [one for one in ended if one is not None]
