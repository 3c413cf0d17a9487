"""One caller of single texts beside callers that send much: its p50 and p99, and what the others lose.

The caller sends one text at a time, and thinks for a while between two. Beside it, each from a process of its own:
  bulk       4 calls of 32 texts in flight, priority bulk
  stream     a stream of requests of 32 texts, priority bulk
  flood      256 calls of one text in flight, at the default priority
Callers are told apart by tokens, as all come from one address. With --before CHECKOUT the same is measured of the code
of another checkout, in turn.

Usage: python -m bench.load.fairness ARTIFACT [--before CHECKOUT] [--seconds 8] [--rounds 3] [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
from bench.lib.closed_loop import SERVICE
from bench.lib.machine import heading
from bench.lib.server import environment_of, server_process
from bench.lib.texts import mixed_texts

from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

LOADS = ("bulk", "stream", "flood")
THINK_S = 0.02  # on average
SETTLE_S = 1.5  # a load alone, before it is measured
TOKENS = ("interactive", "load")
RESULT = Path(__file__).parents[1] / "results" / "fairness.md"
Count = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One round of one load.

    Attributes:
        latencies_ms: of the single-text caller; empty where there was none.
        load_rate: texts a second that the load had answered; 0 where there was none.
        refused: calls of the single-text caller that ended with an error.
    """

    latencies_ms: list[float]
    load_rate: float
    refused: int = 0


def requests_of(texts: Sequence[str], size: int, priority: common_pb2.Priority.ValueType) -> list[pb.EmbedRequest]:
    """Requests of so many texts."""
    cut = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
    return [
        pb.EmbedRequest(texts=texts[i : i + size], text_options=cut, priority=priority)
        for i in range(0, len(texts) - size + 1, size)
    ]


def metadata(token: str) -> tuple[tuple[str, str], ...]:
    """What tells a caller apart."""
    return (("authorization", f"Bearer {token}"),)


async def call_in_turn(
    channel: grpc.aio.Channel, requests: Sequence[bytes], size: int, in_flight: int, count: Count
) -> None:
    """So many callers, each sending its next request when its last is answered."""
    stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICE + "Embed")
    left = cycle(requests)

    async def caller() -> None:
        for request in left:
            await stub(request, metadata=metadata("load"))
            count(size)

    await asyncio.gather(*(caller() for _ in range(in_flight)))


async def stream(channel: grpc.aio.Channel, requests: Sequence[pb.EmbedRequest], count: Count) -> None:
    """One stream, of which the server takes as much as it wants."""

    async def sent() -> AsyncIterator[bytes]:
        for request in cycle(requests):
            yield pb.StreamEmbedRequest(embed=request).SerializeToString()

    stub: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(SERVICE + "StreamEmbed")
    async for reply in stub(sent(), metadata=metadata("load")):
        if pb.StreamEmbedResponse.FromString(reply).last_chunk:
            count(len(requests[0].texts))


def load_of(name: str, channel: grpc.aio.Channel, texts: Sequence[str], count: Count) -> Awaitable[None]:
    """One of the loads."""
    if name == "flood":
        singles = [request.SerializeToString() for request in requests_of(texts, 1, common_pb2.PRIORITY_UNSPECIFIED)]
        return call_in_turn(channel, singles, 1, 256, count)
    lists = requests_of(texts, 32, common_pb2.PRIORITY_BULK)
    if name == "stream":
        return stream(channel, lists, count)
    return call_in_turn(channel, [request.SerializeToString() for request in lists], 32, 4, count)


def load_process(target: str, name: str, texts: Sequence[str], pipe: Connection) -> None:
    """Put load on a server; whenever it is asked, it tells how many texts have been answered."""
    done = 0

    def count(texts: int) -> None:
        nonlocal done
        done += texts

    async def main() -> None:
        async with grpc.aio.insecure_channel(target) as channel:
            task = asyncio.ensure_future(load_of(name, channel, texts, count))
            while not task.done():
                if pipe.poll():
                    pipe.recv()
                    pipe.send(done)
                await asyncio.sleep(0.01)
            await task

    asyncio.run(main())


@contextmanager
def under_load(target: str, name: str, texts: Sequence[str]) -> Iterator[Callable[[], int]]:
    """A load on a server; gives what tells how many texts it has had answered."""
    if name == "idle":
        yield lambda: 0
        return
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=load_process, args=(target, name, texts, there), daemon=True)
    process.start()

    def done() -> int:
        here.send(None)
        if not here.poll(120):
            raise SystemExit(f"the load {name} does not answer")
        return int(here.recv())

    try:
        while not done():
            time.sleep(0.05)
        time.sleep(SETTLE_S)
        yield done
    finally:
        process.terminate()
        process.join()


def interactive(target: str, requests: Sequence[bytes], seconds: float) -> tuple[list[float], int]:
    """One text at a time; gives the milliseconds of each, and how many failed."""
    latencies: list[float] = []
    draw, failed = random.Random(7), 0
    with grpc.insecure_channel(target) as channel:
        stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICE + "Embed")
        for request in requests[:3]:
            stub(request, metadata=metadata("interactive"))
        end = time.perf_counter() + seconds
        for request in cycle(requests):
            started = time.perf_counter()
            if started > end:
                return latencies, failed
            try:
                stub(request, metadata=metadata("interactive"), timeout=60)
            except grpc.RpcError:
                failed += 1
            latencies.append((time.perf_counter() - started) * 1e3)
            time.sleep(draw.expovariate(1 / THINK_S))
    raise AssertionError  # a cycle does not end


def measure(target: str, name: str, texts: Sequence[str], seconds: float, *, alone: bool) -> Row:
    """One load for so many seconds, with the caller of single texts or without."""
    singles = [request.SerializeToString() for request in requests_of(texts[:200], 1, common_pb2.PRIORITY_UNSPECIFIED)]
    with under_load(target, name, texts) as done:
        latencies: list[float] = []
        failed, started, before = 0, time.perf_counter(), done()
        if alone:
            time.sleep(seconds)
        else:
            latencies, failed = interactive(target, singles, seconds)
        rate = (done() - before) / (time.perf_counter() - started)
    return Row(latencies_ms=latencies, load_rate=rate, refused=failed)


def percentile(values: Sequence[float], share: float) -> float:
    """By rank."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@dataclass(frozen=True, slots=True)
class Version:
    """A server under measurement, and what it gave in each round, by load and whether it was alone."""

    name: str
    target: str
    rows: dict[tuple[str, bool], list[Row]]

    def latency(self, load: str, share: float) -> float:
        """A percentile of the calls of all rounds."""
        return percentile([ms for row in self.rows[load, False] for ms in row.latencies_ms], share)

    def rate(self, load: str, *, alone: bool) -> float:
        """Median of the rounds."""
        return statistics.median(row.load_rate for row in self.rows[load, alone])


def lines(versions: Sequence[Version], loads: Sequence[str]) -> Iterator[str]:
    """The table; ratios are to the first version when it is idle."""
    first = versions[0]
    columns = [
        "beside",
        "version",
        "calls",
        "p50-ms",
        "x-idle",
        "p99-ms",
        "x-idle",
        "failed",
        "load-texts/s",
        "load-alone-texts/s",
    ]
    yield "| " + " | ".join(column.replace("-", " ") for column in columns) + " |"
    yield "|---" * len(columns) + "|"
    for load in ("idle", *loads):
        for version in versions:
            rows = version.rows[load, False]
            p50, p99 = version.latency(load, 0.5), version.latency(load, 0.99)
            rates = (
                ("", "")
                if load == "idle"
                else (
                    f"{version.rate(load, alone=False):.1f}",
                    f"{version.rate(load, alone=True):.1f}",
                )
            )
            yield (
                f"| {load} | {version.name} | {sum(len(row.latencies_ms) for row in rows)} | {p50:.1f} "
                f"| {p50 / first.latency('idle', 0.5):.1f} | {p99:.1f} | {p99 / first.latency('idle', 0.99):.1f} "
                f"| {sum(row.refused for row in rows)} | {rates[0]} | {rates[1]} |"
            )
    yield ""
    for load in loads:
        for version in versions[1:]:
            ratios = [
                mine.load_rate / theirs.load_rate if theirs.load_rate else float("nan")
                for mine, theirs in zip(version.rows[load, True], first.rows[load, True], strict=True)
            ]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
            yield f"- {load} alone, {version.name} over {first.name}: {spread}"


def main() -> None:
    """Print a table; --write keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--before", type=Path, help="another checkout, to be measured in turn with this one")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=LOADS, default=LOADS, help="these loads alone")
    parser.add_argument("--write", action="store_true", help="keep the table in bench/results")
    arguments = parser.parse_args()
    texts, origin = mixed_texts(1024)
    checkouts = {"before": arguments.before, "now": None} if arguments.before else {"now": None}
    versions = []
    cells = [
        ("idle", False),
        *((load, alone) for load in arguments.only for alone in (False, True)),
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as tokens:
        print(*TOKENS, sep="\n", file=tokens, flush=True)
        versions = [Version(name, "", {cell: [] for cell in cells}) for name in checkouts]
        for _ in range(arguments.rounds):
            for load, alone in cells:
                for version in versions:
                    with server_process(
                        arguments.artifact,
                        "--token-file",
                        tokens.name,
                        environment=environment_of(checkouts[version.name]),
                    ) as (target, _):
                        row = measure(target, load, texts, arguments.seconds, alone=alone)
                    version.rows[load, alone].append(row)
                    if row.latencies_ms:
                        print(
                            version.name,
                            load,
                            f"p50 {percentile(row.latencies_ms, 0.5):.1f}",
                            f"p99 {percentile(row.latencies_ms, 0.99):.1f}",
                            f"{row.load_rate:.1f}",
                            flush=True,
                        )
                    else:
                        print(version.name, load, "alone", f"{row.load_rate:.1f}", flush=True)
    report = "\n".join(
        ("# Fair shares", "", "```", heading(), f"texts:   {origin}", "```", "", *lines(versions, arguments.only))
    )
    print(report)
    if arguments.write:
        RESULT.write_text(report + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
