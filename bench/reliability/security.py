"""Promises 24 to 27: strangers, secrets, attackers, half an hour."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import struct
import time
import urllib.request
from collections.abc import Callable, Iterator

import grpc
from bench.lib.raw_http2 import RawCaller
from bench.lib.server import free_port, server_process
from bench.reliability.beside import Attack, Beside
from bench.reliability.outcome import Outcome
from bench.reliability.place import Place
from bench.reliability.soak import KEPT, Sample, judge, keep, soak
from hpack import Encoder, NeverIndexedHeaderTuple
from tests.server.failpoints import TEXT, failing_server
from tests.server.running import CANARY

from polyseme.client import Client, PolysemeError
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

Code = grpc.StatusCode
MOST = 3.0  # times the idle p99
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
PING = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
CONNECTIONS = 4
FEW_DESCRIPTORS = 256


def strangers(place: Place) -> Iterator[Outcome]:
    """24: certificates, TLS, tokens."""
    yield place.by_tests(
        "wrong authority, expired, no client certificate, TLS 1.1, no token, wrong token: refused",
        "server/security/test_tls.py",
        "server/security/test_tokens.py",
    )


def canary(place: Place) -> Iterator[Outcome]:
    """25: reflection, and a text that must not be seen."""
    yield place.by_tests("reflection, asked for and not", "server/test_app.py::test_reflection_is_off_unless_asked")
    yield place.by_tests("spans of traces", "server/observe/test_otel.py::test_no_span_holds_any_part_of_a_text")
    tries = place.tries(1000, 100)
    part = tries // 10
    runs = "->".join(f"{part}*off->{part}*{fault}" for fault in ("raise", "nan", "oom"))
    terms = f"run={runs};encode={3 * part}*off->{part}*raise"
    metrics_port = free_port()
    flags = ("--access-log", "--log-level", "debug", "--metrics-port", str(metrics_port))
    log = place.folder / "canary.log"
    said: list[str] = []
    codes: set[str] = set()
    with failing_server(place.tiny, terms, log, *flags) as (_, target), grpc.insecure_channel(target) as channel:
        for number in range(tries):
            method, request = canary_call(number)
            stub: grpc.UnaryUnaryMultiCallable[bytes, bytes]
            stub = channel.unary_unary(f"/polyseme.v1.EmbeddingService/{method}")
            call = stub.future(request, timeout=300)
            codes.add(call.code().name)
            said += [str(call.details()), str(call.trailing_metadata()), str(call.initial_metadata())]
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=300) as reply:
            said.append(reply.read().decode())
    said.append(log.read_text())
    hits = sum(one.count(CANARY) for one in said) + said[-1].count(TEXT)
    yield Outcome(
        what="calls with a canary text: times that it is in the log (debug, access log), metrics, statuses",
        tries=tries,
        failed=hits,
        figure=f"{len(codes)} statuses: {', '.join(sorted(codes))}",
        bound="4 statuses",
        within=len(codes) >= 4,
    )


def canary_call(number: int) -> tuple[str, bytes]:
    """A method and a request, with the canary in every place that a text has; some are wrong."""
    texts = [CANARY, f"{CANARY} b"]
    requests: tuple[tuple[str, bytes], ...] = (
        ("Embed", pb.EmbedRequest(texts=texts).SerializeToString()),
        ("Tokenize", pb.TokenizeRequest(texts=texts).SerializeToString()),
        ("EmbedTokens", pb.EmbedTokensRequest(texts=texts).SerializeToString()),
        ("EmbedSpans", spans(CANARY, CANARY)),
        ("EmbedSpans", spans("a b", CANARY)),
        (
            "Similarity",
            pb.SimilarityRequest(a=[pb.Operand(text=CANARY)], b=[pb.Operand(text=CANARY)]).SerializeToString(),
        ),
        ("Embed", pb.EmbedRequest(texts=[CANARY * 200]).SerializeToString()),
        ("Embed", pb.EmbedRequest(texts=texts).SerializeToString()[:-1]),
        ("Embed", pb.EmbedRequest(texts=texts, model=common_pb2.ModelRef(name="nobody")).SerializeToString()),
        ("Embed", pb.EmbedRequest(texts=texts, dimensions=100_000).SerializeToString()),
    )
    return requests[number % len(requests)]


def spans(text: str, word: str) -> bytes:
    """A request for a word of a text."""
    words = [common_pb2.WordQuery(text=word)]
    return pb.EmbedSpansRequest(inputs=[pb.SpanInput(text=text, words=words)]).SerializeToString()


def flood(target: str, frames: Callable[[int], bytes]) -> None:
    """Send frames as fast as the server takes them, on connections in turn; those that it closes are made again."""
    host, _, port = target.rpartition(":")
    connections: list[tuple[socket.socket, Iterator[int]]] = []
    while True:
        while len(connections) < CONNECTIONS:
            connection = socket.create_connection((host, int(port)))
            connection.settimeout(0.2)
            connection.sendall(PREFACE)
            connections.append((connection, iter(range(1, 1 << 31, 2))))
        for one in [*connections]:
            connection, streams = one
            try:
                connection.sendall(b"".join(frames(next(streams)) for _ in range(100)))
                with contextlib.suppress(BlockingIOError):
                    if not connection.recv(1 << 16, socket.MSG_DONTWAIT):
                        raise ConnectionResetError
            except (OSError, StopIteration):
                connection.close()
                connections.remove(one)


def ping(_: int) -> bytes:
    """A PING, whatever the stream."""
    return PING


class Reset:
    """HEADERS of a call, and RST_STREAM at once."""

    def __init__(self) -> None:
        headers = {":method": "POST", ":scheme": "http", ":path": "/polyseme.v1.EmbeddingService/Embed"}
        headers |= {":authority": "raw", "content-type": "application/grpc", "te": "trailers"}
        self._block = Encoder().encode([NeverIndexedHeaderTuple(*header) for header in headers.items()], huffman=False)

    def __call__(self, stream: int) -> bytes:
        """Both frames of a stream."""
        begin = struct.pack(">I", len(self._block))[1:] + b"\x01\x04" + struct.pack(">I", stream) + self._block
        return begin + b"\0\0\x04\x03\0" + struct.pack(">II", stream, 8)


def pings(target: str) -> None:
    """A flood of PINGs."""
    flood(target, ping)


def resets(target: str) -> None:
    """Calls that are begun and reset at once."""
    flood(target, Reset())


def idle(target: str) -> None:
    """5,000 connections that say nothing, kept open as long as the server lets them be."""
    hold_connections(target, 5000)


def all_descriptors(target: str) -> None:
    """More connections than the server has file descriptors."""
    hold_connections(target, FEW_DESCRIPTORS + 100)


def hold_connections(target: str, count: int) -> None:
    """Open connections, and keep them."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    callers = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            callers.append(RawCaller(target))
    time.sleep(3600)


def under(place: Place, attack: Attack, what: str, *flags: str, descriptors: int | None = None) -> Iterator[Outcome]:
    """Others beside an attack, and a new caller after it."""
    with server_process(place.model, *flags) as (target, pid):
        if descriptors is not None:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
        yield Beside(target, place).measure(what, attack, most=MOST)
        failed = 0
        for _ in range(10):
            try:
                with Client(target, options=[("grpc.use_local_subchannel_pool", 1)]) as client:
                    client.embed("A new caller.", timeout=60)
            except PolysemeError:
                failed += 1
        yield Outcome(what=f"new callers after {what}", tries=10, failed=failed)


def ping_flood(place: Place) -> Iterator[Outcome]:
    """26: PINGs."""
    yield from under(place, pings, f"PING floods on {CONNECTIONS} connections")


def rapid_reset(place: Place) -> Iterator[Outcome]:
    """26: streams that are opened and reset."""
    yield from under(place, resets, f"rapid reset on {CONNECTIONS} connections")


def idle_connections(place: Place) -> Iterator[Outcome]:
    """26: connections that do nothing."""
    yield from under(place, idle, "5,000 idle connections")


def no_descriptors(place: Place) -> Iterator[Outcome]:
    """26: no file descriptor is left."""
    yield from under(place, all_descriptors, f"{FEW_DESCRIPTORS} file descriptors used up", descriptors=FEW_DESCRIPTORS)


def container(place: Place) -> Iterator[Outcome]:
    """27: rights, pickles, paths."""
    yield place.by_tests(
        "least rights of the container, no pickle, no path out of a folder",
        "deploy/test_dockerfile.py",
        "deploy/test_manifests.py",
        "export/reading/test_checkpoint.py::test_pickles_are_never_loaded",
        "artifact/test_directory.py::test_a_link_that_leads_out_is_refused",
        "artifact/test_manifest.py::test_hostile_values_are_refused_in_one_line",
    )


def soaked(place: Place) -> Iterator[Outcome]:
    """27: half an hour; what has been kept of one is judged."""
    if not place.short:
        path = KEPT / "samples.json"
        if path.exists():
            samples = [Sample(**fields) for fields in json.loads(path.read_text(encoding="ascii"))]
        else:
            samples = soak(place.model)
            keep(samples, KEPT)
        yield from judge(samples)
