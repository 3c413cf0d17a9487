"""A closed loop of unary calls from a process of its own: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

SERVICE = "/polyseme.v1.EmbeddingService/"
WARM_UP_CALLS = 8
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a closed loop saw.

    Attributes:
        rate: calls a second.
        latencies_s: of each call, in no order.
    """

    rate: float
    latencies_s: list[float]


def closed_loop(
    target: str,
    method: str,
    requests: Sequence[bytes],
    in_flight: int,
    *,
    service: str = SERVICE,
    warm_up_calls: int = WARM_UP_CALLS,
) -> Load:
    """So many callers, each sending its next request when its last is answered."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        load: Load = pool.apply(call_in_a_loop, (target, method, requests, in_flight, service, warm_up_calls))
    return load


def call_in_a_loop(
    target: str,
    method: str,
    requests: Sequence[bytes],
    in_flight: int,
    service: str = SERVICE,
    warm_up_calls: int = WARM_UP_CALLS,
) -> Load:
    """The same, in this process."""
    latencies: list[float] = []

    async def main() -> float:
        async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
            stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(service + method)
            await asyncio.gather(*(stub(requests[0], wait_for_ready=True) for _ in range(warm_up_calls)))
            left = iter(requests)

            async def caller() -> None:
                for request in left:
                    started = time.perf_counter()
                    await stub(request)
                    latencies.append(time.perf_counter() - started)

            started = time.perf_counter()
            await asyncio.gather(*(caller() for _ in range(in_flight)))
            return len(requests) / (time.perf_counter() - started)

    return Load(rate=asyncio.run(main()), latencies_s=latencies)
