"""Promises 20 to 23: starts, ends, artifacts."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import numpy as np
from bench.lib.server import free_port, start_server, wait_until_ready
from bench.load import failover
from bench.reliability.outcome import Outcome
from bench.reliability.place import Place
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.conftest import write_tiny_checkpoint
from tests.server.running import running
from tests.server.test_app import load_until_drained
from tests.server.test_reload import put, reload, version_of

from polyseme.cli.main import main
from polyseme.client import Client, PolysemeError
from polyseme.export import ExportOptions, export_model
from polyseme.v1 import embedding_service_pb2 as pb

SERVICE = "polyseme.v1.EmbeddingService"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
PUSHED_S = 0.1


def drains(place: Place) -> Iterator[Outcome]:
    """20: SIGTERM under load."""
    answered = failed = 0
    rounds = place.tries(20, 1)
    for _ in range(rounds):
        port = free_port()
        process = start_server(place.tiny, f"127.0.0.1:{port}", "--drain-delay-s", "1")
        wait_until_ready(f"127.0.0.1:{port}", process)
        failures, count, _ = load_until_drained(port, process)
        answered += count
        failed += len(failures) + (process.wait(300) != 0)
    yield Outcome(
        what=f"calls of 8 callers over {rounds} drains (SIGTERM): none under way fails, exit status 0",
        tries=answered,
        failed=failed,
    )


def go(place: Place, fault: str, faults: int) -> Outcome:
    """One of two servers goes, then the other, under callers with the SDK's defaults."""
    calls, callers = place.tries(50_000, 1500), place.tries(256, 32)
    trial = failover.Trial(artifact=place.tiny, fault=fault, calls=calls, faults=faults, callers=callers, pause_s=3)
    seen = asyncio.run(failover.run(trial))
    return Outcome(
        what=f"one of two servers, {callers} callers with the SDK's defaults, {seen.faults} x {fault}",
        tries=seen.calls,
        failed=seen.failures.total(),
        figure=f"the longest call {max(seen.latencies_s):.1f} s",
        bound="30 s, the default timeout",
        within=max(seen.latencies_s) <= 30,
    )


def restart(place: Place) -> Iterator[Outcome]:
    """20: rolling restarts."""
    yield go(place, "restart", 2)


def kill(place: Place) -> Iterator[Outcome]:
    """20: kill -9."""
    yield go(place, "kill", 2)


def stop(place: Place) -> Iterator[Outcome]:
    """20: SIGSTOP."""
    if not place.short:
        yield go(place, "stop", 2)


def readiness(place: Place) -> Iterator[Outcome]:
    """21: ready, alive, told."""
    starts = place.tries(10, 1)
    early = asked = 0
    pushes = []
    for _ in range(starts):
        target = f"127.0.0.1:{free_port()}"
        process = start_server(place.model, target, "--drain-delay-s", "1")
        with grpc.insecure_channel(target) as channel, Client(target) as client:
            health = health_pb2_grpc.HealthStub(channel)
            ask = health_pb2.HealthCheckRequest(service=SERVICE)
            while health.Check(ask, timeout=300, wait_for_ready=True).status != SERVING:
                asked += 1
                time.sleep(0.01)
            try:
                client.embed("The first call after ready.", timeout=60)
            except PolysemeError:
                early += 1
            watch = health.Watch(ask, timeout=300)
            next(watch)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            while next(watch).status != NOT_SERVING:
                pass
            pushes.append(time.monotonic() - began)
            watch.cancel()
        process.wait(300)
    yield Outcome(
        what=f"starts: the first call after SERVING is answered ({asked} answers before were NOT_SERVING)",
        tries=starts,
        failed=early,
    )
    yield Outcome(
        what="Health.Watch after SIGTERM",
        tries=starts,
        failed=0,
        figure=f"told after {1e3 * max(pushes):.0f} ms at most",
        bound="100 ms",
        within=max(pushes) <= PUSHED_S,
        timed=True,
    )
    yield alive_under_load(place)


def alive_under_load(place: Place) -> Outcome:
    """Liveness, where the queue is full and every runner is held."""
    with running(place.tiny, runners=1, max_queue_tokens=64) as server, server.faults.held() as held:
        calls = [server.embedding.Embed.future(pb.EmbedRequest(texts=["a"]), timeout=300) for _ in range(100)]
        held.wait_for_a_batch()
        stub = health_pb2_grpc.HealthStub(server.channel)
        tries = place.tries(1000, 50)
        answers = [stub.Check(health_pb2.HealthCheckRequest(), timeout=300).status for _ in range(tries)]
        held.gate.set()
        for call in calls:
            call.code()
    failed = len(answers) - answers.count(SERVING)
    return Outcome(what="liveness while the queue is full and nothing runs", tries=tries, failed=failed)


def refusal(directory: Path, *flags: str) -> bool:
    """Whether `polyseme serve` refuses: exit status 2, one line, no traceback.

    Not for several threads: multiprocessing asks for the ends of all processes as it starts one, and where two threads
    ask at once one reads 255.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    with tempfile.NamedTemporaryFile("r") as said:
        process = processes.Process(target=serve, args=(directory, flags, said.name))
        process.start()
        process.join(120)
        if process.is_alive():  # it serves
            process.kill()
            process.join()
            return False
        lines = said.read().strip().splitlines()
    return process.exitcode == 2 and len(lines) == 1 and "Traceback" not in lines[0]


def serve(directory: Path, flags: Sequence[str], stderr: str) -> None:
    """`polyseme serve` in this process, which has loaded what it imports."""
    with open(stderr, "w", encoding="utf-8") as sys.stderr:  # noqa: PTH123  # a name, not a path of ours
        os.dup2(sys.stderr.fileno(), 2)
        port = () if "--port" in flags else ("--port", "0")
        metrics_port = () if "--metrics-port" in flags else ("--metrics-port", "0")
        sys.exit(main(["serve", str(directory), *port, *metrics_port, *flags]))


def damaged(place: Place) -> Iterator[Path]:
    """Copies of an artifact, each damaged in one way."""
    draw = random.Random(22)
    names = sorted(path.name for path in place.tiny.iterdir())
    if place.short:
        names = names[::4]
    for name in names:
        for kind in ["missing", "cut", *["bit"] * place.tries(20, 1)]:
            copy = place.folder / f"damaged-{name}-{draw.getrandbits(64):x}"
            copy.mkdir()
            for path in place.tiny.iterdir():
                shutil.copy(path, copy / path.name)
            file = copy / name
            content = bytearray(file.read_bytes())
            if kind == "missing":
                file.unlink()
            elif kind == "cut":
                file.write_bytes(content[: draw.randrange(len(content))])
            else:
                content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
                file.write_bytes(content)
            yield copy


def refused_and_removed(directory: Path) -> bool:
    """Whether a damaged copy is refused; removes it."""
    refused = refusal(directory)
    shutil.rmtree(directory)
    return refused


BAD_SETTINGS = (
    *((f"--{name}", value) for name in ("port", "metrics-port") for value in ("-1", "65536", "http", "1.5")),
    *(("--max-texts", value) for value in ("0", "-5", "many", "1e9")),
    *(("--device", value) for value in ("gpu", "CUDA", "cuda:0:1", "cuda")),
    *(("--log-level", value) for value in ("loud", "warn")),
    *(("--max-message-bytes", value) for value in ("0", "1023", "4g")),
    *(("--max-wait-ms", value) for value in ("-0.1", "nan", "soon")),
    *((f"--tls-{name}", "/no/such/file") for name in ("cert", "key", "client-ca")),
    ("--token-file", "/no/such/file"),
    ("--host", "203.0.113.7"),
    ("--default-model", "nobody"),
    ("--max-memory", "lots"),
    ("--trusted-proxies", "everywhere"),
)


def corrupt(place: Place) -> Iterator[Outcome]:
    """22: artifacts and settings that make no sense."""
    refused = list(map(refused_and_removed, damaged(place)))
    yield Outcome(
        what="every file of an artifact with a bit flipped, cut short or missing: exit status 2, one line",
        tries=len(refused),
        failed=refused.count(False),
    )
    settings = BAD_SETTINGS[:: place.tries(1, 8)]
    refused = [refusal(place.tiny, *flags) for flags in settings]
    wrong = [" ".join(flags) for flags, good in zip(settings, refused, strict=True) if not good]
    yield Outcome(
        what="settings that make no sense: exit status 2, one line",
        tries=len(settings),
        failed=len(wrong),
        figure="; ".join(wrong),
    )


def reloads(place: Place) -> Iterator[Outcome]:
    """23: hot reload under load."""
    source = write_tiny_checkpoint(place.folder / "wide-source", hidden_size=64)
    export_model(str(source), place.folder / "wide", ExportOptions(name="tiny"))
    versions = [place.tiny, place.folder / "wide"]
    served = place.folder / "served"
    put(versions[0], served)
    replies: list[tuple[str, np.ndarray]] = []
    failures: list[Exception] = []
    stop = threading.Event()
    expected = {}
    rounds = place.tries(50, 4)
    kept = 0
    with running(served) as server:

        def call() -> None:
            try:
                with Client(server.target) as client:
                    while not stop.is_set():
                        result = client.embed_detailed(["a bank by the river"] * 3)
                        replies.append((result.model.version, result.embeddings))
            except PolysemeError as error:
                failures.append(error)

        for turn in (0, 1):
            put(versions[turn], served)
            reload(server)
            with Client(server.target) as client:
                expected[version_of(versions[turn])] = client.embed("a bank by the river")
        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        for turn in range(rounds):
            put(versions[turn % 2], served)
            reload(server)
            (served / "manifest.json").write_text("{")
            try:
                reload(server)
            except Exception:  # of whatever kind: what counts is what is served then
                kept += server.app.registry.models.default.version == version_of(versions[turn % 2])
        stop.set()
        for caller in callers:
            caller.join()
    mixed = sum(
        vectors.shape[1:] != expected[version].shape or bool(np.abs(vectors - expected[version]).max() > 1e-5)
        for version, vectors in replies
    )
    yield Outcome(
        what=f"calls over {rounds} reloads between two models: none fails, none mixes the two",
        tries=len(replies) + len(failures),
        failed=len(failures) + mixed,
    )
    yield Outcome(what="reloads of a corrupt artifact: the old one is served", tries=rounds, failed=rounds - kept)
