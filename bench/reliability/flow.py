"""Promises 10 to 14: deadlines, cancels, queues, shares."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection

import grpc
from bench.lib.closed_loop import SERVICE
from bench.lib.server import server_process
from bench.lib.texts import mixed_texts, public_domain_words
from bench.load import fairness
from bench.reliability.beside import Beside
from bench.reliability.outcome import Outcome
from bench.reliability.overload import Load, closed, open_loop
from bench.reliability.place import Place
from tests.server.lateness import Lateness, lateness
from tests.server.running import running

from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

Code = grpc.StatusCode
CUT = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
SHORT_S = 2.0
DEFAULT_S = 30.0  # of the SDK; a queue fills with such calls
NEVER_MIND_S = (
    0.01  # two turns of the interpreter between the look at a deadline and the run; a busy machine adds to it
)
CLIENTS_A_PROCESS = 50


def overload(place: Place, times: float, seconds: float, timeout_s: float) -> tuple[Load, float, Lateness]:
    """Calls of 8 texts of 128 tokens at a multiple of what the server can do; gives how they ended, the peak, lateness.

    The peak is the mean of one before and one after, since what a machine has left changes.
    """
    words = public_domain_words()
    length = place.tries(100, 10)
    texts = [" ".join(words[start : start + length]) for start in range(0, len(words) - 100, 11)][:80]
    requests = [
        pb.EmbedRequest(texts=texts[i : i + 8], text_options=CUT).SerializeToString() for i in range(0, len(texts), 8)
    ]
    seconds_of_peak = min(20.0, seconds / 2)
    with running(place.model) as server, lateness(server) as noted:
        closed(server.target, requests, 8, 2)
        before = closed(server.target, requests, 8, seconds_of_peak).goodput
        load = open_loop(server.target, requests, max(times * before, 1.0), seconds, timeout_s)
        after = closed(server.target, requests, 8, seconds_of_peak).goodput
    return load, (before + after) / 2, noted


def late(noted: Lateness, times: float) -> Outcome:
    """How many texts were run too late."""
    longest = max(noted.late_s, default=0.0)
    return Outcome(
        what=f"texts run a second after their deadline or later, at {times:g}x load",
        tries=noted.texts,
        failed=sum(seconds > 1 for seconds in noted.late_s),
        figure=f"{len(noted.late_s)} run after it, by {1e3 * longest:.1f} ms at most",
        bound=f"{1e3 * NEVER_MIND_S:.0f} ms",
        within=longest <= NEVER_MIND_S,
        timed=True,
    )


def spelled(codes: Counter[str]) -> str:
    """Statuses and how many of each."""
    return ", ".join(f"{count} {code}" for code, count in codes.most_common())


def deadlines(place: Place) -> Iterator[Outcome]:
    """10: deadlines that pass."""
    load, peak, noted = overload(place, 3, place.tries(60, 2), SHORT_S)
    wrong = load.sent - load.codes["OK"] - load.codes["DEADLINE_EXCEEDED"] - load.codes["RESOURCE_EXHAUSTED"]
    yield Outcome(
        what="calls of 2 s at 3x load: answered, refused, or DEADLINE_EXCEEDED",
        tries=load.sent,
        failed=wrong,
        figure=f"{spelled(load.codes)}; goodput {load.goodput:.1f} calls/s of {peak:.1f} at its peak",
    )
    yield late(noted, 3)
    yield place.by_tests(
        "a deadline that passes in the queue: the session never runs it",
        "server/test_refusals.py::test_a_deadline_that_passes_in_the_queue_never_reaches_the_session",
        "server/scheduling/test_scheduler.py::test_expired_work_never_runs",
        "server/engine/test_runner.py",
    )


def cancels(place: Place) -> Iterator[Outcome]:
    """11: calls that are cancelled."""
    calls = place.tries(2000, 200)
    with running(place.tiny, runners=1, max_streams=calls + 1, max_concurrent_calls=calls + 2) as server:
        batch = server.model.engine.engine.traits.batch_texts
        with server.faults.held() as held, grpc.insecure_channel(server.target) as channel:
            stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICE + "Embed")
            request = pb.EmbedRequest(texts=["a"]).SerializeToString()
            futures = [stub.future(request, timeout=300) for _ in range(calls)]
            held.wait_for_a_batch()
            begun = sum(len(run) for run in held.runs)
            while server.model.engine.queued_texts < calls - begun:
                time.sleep(0.01)
            cancelled = random.Random(11).sample(futures, calls // 2)
            for future in cancelled:
                future.cancel()
            while server.model.engine.queued_texts > calls // 2:
                time.sleep(0.01)
            held.gate.set()
            gone = {id(future) for future in cancelled}
            kept = [future for future in futures if id(future) not in gone]
            failed = sum(future.code() is not Code.OK for future in kept)
        ran = sum(len(run) for run in held.runs)
    yield Outcome(
        what=f"{calls // 2} of {calls} calls cancelled: the rest are answered",
        tries=len(kept),
        failed=failed,
        figure=f"{ran} texts run",
        bound=f"{len(kept)} and a batch of {batch}",
        within=ran <= len(kept) + batch,
    )


def open_streams(target: str, clients: int, pipe: Connection) -> None:
    """So many clients, each with a connection and an open stream that has been answered once; until killed."""

    async def main() -> None:
        request = pb.StreamEmbedRequest(embed=pb.EmbedRequest(texts=["a b c"])).SerializeToString()
        streams = []
        for _ in range(clients):
            channel = grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
            stub: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(SERVICE + "StreamEmbed")
            stream = stub()
            await stream.write(request)
            await stream.read()
            await stream.write(request)
            streams.append((channel, stream))
        pipe.send("open")
        await asyncio.sleep(3600)

    asyncio.run(main())


def killed_clients(place: Place) -> Iterator[Outcome]:
    """12: clients that are killed, and clients that read nothing."""
    processes = place.tries(10, 1)
    slowest, failed = 0.0, 0
    context = multiprocessing.get_context("spawn")
    with running(place.tiny) as server:
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=open_streams, args=(server.target, CLIENTS_A_PROCESS, theirs), daemon=True)
            process.start()
            ours.recv()
            in_flight = server.metric("polyseme_calls_in_flight")
            os.kill(process.pid or 0, signal.SIGKILL)
            began = time.monotonic()
            process.join()
            while server.metric("polyseme_calls_in_flight") or server.metric("polyseme_held_bytes", kind="replies"):
                time.sleep(0.005)
                if time.monotonic() - began > 60:
                    break
            seconds = time.monotonic() - began
            slowest = max(slowest, seconds)
            failed += CLIENTS_A_PROCESS if seconds > 1 or in_flight != CLIENTS_A_PROCESS else 0
    yield Outcome(
        what="clients killed (SIGKILL) with a stream open: calls and what they hold are gone within 1 s",
        tries=processes * CLIENTS_A_PROCESS,
        failed=failed,
        figure=f"{1e3 * slowest:.0f} ms at most",
        bound="1 s",
        within=slowest <= 1,
    )
    yield place.by_tests(
        "replies that are not read, requests that do not come: memory is bounded", "server/test_memory.py"
    )


def full_queue(place: Place) -> Iterator[Outcome]:
    """13: more than the server can do, of callers who wait for long, and of callers who do not."""
    for timeout_s in (SHORT_S,) if place.short else (DEFAULT_S, SHORT_S):
        load, peak, noted = overload(place, 5, place.tries(60, 2), timeout_s)
        promised = sum(load.codes[code] for code in ("OK", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"))
        yield Outcome(
            what=f"5x load of calls of {timeout_s:g} s: refused with RetryInfo and pushback ({spelled(load.codes)})",
            tries=load.sent,
            failed=load.unadvised + load.sent - promised,
            figure=f"goodput {load.goodput:.1f} calls/s of {peak:.1f} at its peak: {load.goodput / peak:.0%}",
            bound=">= 90%",
            within=load.goodput >= 0.9 * peak,
            timed=True,
        )
        yield late(noted, 5)


def shares(place: Place) -> Iterator[Outcome]:
    """14: callers beside callers that send much."""
    texts, _ = mixed_texts(1024)
    seconds = place.tries(20, 1)
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as tokens:
        print(*fairness.TOKENS, sep="\n", file=tokens, flush=True)
        with server_process(place.model, "--token-file", tokens.name) as (target, _):
            rounds = {
                load: [fairness.measure(target, load, texts, seconds, alone=False) for _ in range(place.tries(3, 1))]
                for load in ("idle", "bulk")
            }
    latencies = {load: [ms for row in rows for ms in row.latencies_ms] for load, rows in rounds.items()}
    p99, idle = (fairness.percentile(latencies[load], 0.99) for load in ("bulk", "idle"))
    yield Outcome(
        what="single texts beside bulk work that takes all there is: p99",
        tries=sum(map(len, latencies.values())),
        failed=sum(row.refused for rows in rounds.values() for row in rows),
        figure=f"{p99:.0f} ms beside {idle:.0f} idle: {p99 / idle:.1f}x",
        bound="3x",
        within=p99 <= 3 * idle,
        timed=True,
    )
    yield head_of_line(place)


def long_texts(target: str) -> None:
    """Four callers of texts as long as the model takes, until the process is ended."""

    async def main() -> None:
        words = public_domain_words()
        request = pb.EmbedRequest(texts=[" ".join(words[:400])], text_options=CUT).SerializeToString()
        async with grpc.aio.insecure_channel(target) as channel:
            stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICE + "Embed")

            async def caller() -> None:
                while True:
                    await stub(request)

            await asyncio.gather(*(caller() for _ in range(4)))

    asyncio.run(main())


def head_of_line(place: Place) -> Outcome:
    """Short texts among long ones."""
    with server_process(place.model) as (target, _):
        return Beside(target, place).measure("4 callers of the longest texts", long_texts, most=2, share=0.5)
