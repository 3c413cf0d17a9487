"""Calls at a rate that does not ask whether the server keeps up; from a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

import grpc
from bench.lib.closed_loop import SERVICE
from google.rpc import error_details_pb2, status_pb2


@dataclass(slots=True)
class Load:
    """How calls ended.

    Attributes:
        seconds: how long calls were sent.
        sent: how many.
        codes: their statuses.
        in_time: calls that were answered while others were still sent.
        unadvised: calls that were refused without saying when to come again.
        behind_s: the most that a call was sent after its time.
    """

    seconds: float = 0.0
    sent: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    in_time: int = 0
    unadvised: int = 0
    behind_s: float = 0.0

    @property
    def goodput(self) -> float:
        """Calls a second that were answered while calls were sent."""
        return self.in_time / self.seconds


def closed(target: str, requests: Sequence[bytes], callers: int, seconds: float) -> Load:
    """So many callers, each with its next call when its last has ended: what the server can do."""
    return _in_process(_closed, target, requests, callers, seconds)


def open_loop(target: str, requests: Sequence[bytes], rate: float, seconds: float, timeout_s: float) -> Load:
    """So many calls a second, whatever becomes of them."""
    return _in_process(_open, target, requests, rate, seconds, timeout_s)


def _in_process(loop: object, *arguments: object) -> Load:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        load: Load = pool.apply(_run, (loop, *arguments))
    return load


def _run(loop, *arguments):  # type: ignore[no-untyped-def]  # of either loop
    return asyncio.run(loop(*arguments))


async def _closed(target: str, requests: Sequence[bytes], callers: int, seconds: float) -> Load:
    load = Load(seconds=seconds)
    left = cycle(requests)
    async with grpc.aio.insecure_channel(target) as channel:
        began = time.monotonic()

        async def caller() -> None:
            while time.monotonic() < began + seconds:
                await _call(channel, next(left), 60, load, began + seconds)

        await asyncio.gather(*(caller() for _ in range(callers)))
    return load


async def _open(target: str, requests: Sequence[bytes], rate: float, seconds: float, timeout_s: float) -> Load:
    load = Load(seconds=seconds)
    left = cycle(requests)
    async with grpc.aio.insecure_channel(target) as channel, asyncio.TaskGroup() as calls:
        began = time.monotonic()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            load.behind_s = max(load.behind_s, time.monotonic() - due)
            calls.create_task(_call(channel, next(left), timeout_s, load, began + seconds))
    return load


async def _call(channel: grpc.aio.Channel, request: bytes, timeout_s: float, load: Load, end: float) -> None:
    stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICE + "Embed")
    load.sent += 1
    try:
        await stub(request, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        load.codes[error.code().name] += 1
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            load.unadvised += not _says_when(dict(error.trailing_metadata() or ()))
    else:
        load.codes["OK"] += 1
        load.in_time += time.monotonic() < end


def _says_when(trailers: dict[str, str | bytes]) -> bool:
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    told = any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)
    return told and int(trailers.get("grpc-retry-pushback-ms", 0)) > 0
