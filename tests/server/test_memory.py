"""Callers who do not take replies, and whose requests never come whole: what they cost, and when they are ended."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from bench.lib.raw_http2 import RawCaller, framed
from bench.lib.server import resident_mib, server_process
from tests.server.running import refused, running

from polyseme.server.memory.budget import UNASKED_BYTES, Kind
from polyseme.v1 import embedding_service_pb2 as pb

EMBED, TOKENS = "polyseme.v1.EmbeddingService/Embed", "polyseme.v1.EmbeddingService/EmbedTokens"
STREAM = "polyseme.v1.EmbeddingService/StreamEmbed"
HEALTH = "grpc.health.v1.Health/Check"
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
MIB = 1 << 20


@contextmanager
def raw(target, **options):
    caller = RawCaller(target, **options)
    try:
        yield caller
    finally:
        caller.close()


def until(condition, seconds=300):
    """Wait for what takes as long as it takes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def ended(server, what, why):
    registry = server.app._metrics.registry
    return registry.get_sample_value("polyseme_transfers_ended_total", {"what": what, "why": why}) or 0


def set_clock_of_transfers(server, seconds):
    """From now on the clock that ages transfers stands there."""
    server.app._listener._transfers._clock = lambda: seconds


def tokens(texts):
    """A request whose reply has about 18 kB a text."""
    return pb.EmbedTokensRequest(texts=["a " * 124] * texts)


def test_replies_that_are_not_taken_are_counted_and_make_room_for_others(tiny_artifact):
    with running(tiny_artifact) as server, raw(server.target, window=0) as caller:
        budget, request = server.app._budget, tokens(128)  # 2 MB: 8 are counted while it is made, 4 until it is taken
        budget.limit = 20 * MIB
        set_clock_of_transfers(server, 0.0)
        for count in (1, 2, 3):
            caller.call(TOKENS, request.SerializeToString())
            until(lambda: budget.held(Kind.REPLIES) > count * 2 * 2_000_000)  # noqa: B023
        assert (server.app._admission.calls, caller.ended) == (0, {})
        held = server.app._metrics.registry.get_sample_value("polyseme_held_bytes", {"kind": "replies"})
        assert held == budget.total

        call = server.embedding.EmbedTokens
        error = refused(lambda: call(request, timeout=300), EXHAUSTED, "bytes of memory and this one needs")
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
        set_clock_of_transfers(server, 1.1)  # they are no longer young
        until(lambda: answered(lambda: call(request, timeout=300)))
        assert 1 <= ended(server, "reply", "memory") <= 3


def answered(call):
    try:
        call()
    except grpc.RpcError as error:
        if error.code() is EXHAUSTED:
            return False
        raise
    return True


@pytest.mark.parametrize("method", [TOKENS, STREAM])
def test_a_reply_that_is_not_taken_in_time_ends_its_call(tiny_artifact, method):
    request = tokens(2)
    if method == STREAM:
        request = pb.StreamEmbedRequest(tokens=request)
    with running(tiny_artifact, max_transfer_s=300) as server, raw(server.target, window=0) as caller:
        set_clock_of_transfers(server, 0.0)
        check = server.channel.unary_unary(f"/{HEALTH}")
        check(b"", timeout=300)  # grpc.aio holds on to the first call of all
        streams = {caller.call(method, request.SerializeToString()) for _ in range(8)}
        until(lambda: server.app._budget.held(Kind.REPLIES) > 8 * 80_000)  # 84 kB a reply, and 16 kB of a check
        assert ended(server, "reply", "late") == 0
        set_clock_of_transfers(server, 300.1)
        until(lambda: server.app._budget.held(Kind.REPLIES) == 0 and ended(server, "reply", "late") == 8)
        check(b"", timeout=300)  # and to the last one, until another comes
        until(lambda: caller.listen(0.01) or streams <= set(caller.ended))
        assert caller.received == 0
        assert {status for status, _ in caller.ended.values()} == {grpc.StatusCode.CANCELLED.value[0]}
        until(lambda: server.app._budget.total == 0)
        assert ended(server, "reply", "late") == 8


def test_a_request_that_does_not_come_in_time_ends_its_call(tiny_artifact):
    with running(tiny_artifact, max_transfer_s=300) as server, raw(server.target) as caller:
        set_clock_of_transfers(server, 0.0)
        streams = [caller.begin(method) for method in (EMBED, HEALTH) for _ in range(4)]
        for stream in streams:
            caller.send(stream, framed(bytes(1000))[:-1], last=False)
        idle = caller.begin(STREAM)  # between two messages of a stream any time may pass
        until(lambda: server.app._listener._transfers.requests == 9)
        assert server.app._admission.calls == 5
        set_clock_of_transfers(server, 300.1)
        until(lambda: caller.listen(0.01) or set(streams) <= set(caller.ended))
        assert idle not in caller.ended
        assert {caller.ended[stream] for stream in streams} == {
            (grpc.StatusCode.DEADLINE_EXCEEDED.value[0], "the request did not come whole within 300 s")
        }
        labels = {"method": "Embed", "code": "DEADLINE_EXCEEDED", "model": ""}
        assert server.app._metrics.registry.get_sample_value("polyseme_calls_total", labels) == 4
        assert ended(server, "request", "late") == 8


def test_where_memory_is_short_requests_that_wait_are_ended_and_others_refused(tiny_artifact):
    with running(tiny_artifact, max_message_bytes=1 * MIB) as server, raw(server.target) as caller:
        streams = [caller.begin(EMBED), caller.begin(STREAM)]
        for stream in streams:
            caller.send(stream, framed(bytes(1000))[:-1], last=False)
        until(lambda: server.app._listener._transfers.requests == 2)
        watch = server.app._memory
        resident, watch._resident = watch._resident, lambda: watch._limit + MIB
        until(lambda: caller.listen(0.01) or set(streams) <= set(caller.ended))
        assert {status for status, _ in caller.ended.values()} == {EXHAUSTED.value[0]}
        error = refused(lambda: server.raw(EMBED.removeprefix("polyseme.v1."), b""), EXHAUSTED, "short of memory")
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
        assert server.channel.unary_unary(f"/{HEALTH}")(b"", timeout=300)  # probes are answered
        watch._resident = resident
        until(lambda: answered(lambda: server.embedding.Embed(pb.EmbedRequest(texts=["a"]), timeout=300)))
        assert ended(server, "request", "memory") == 2


def test_a_unary_call_without_a_request_is_refused(server):
    with raw(server.target) as caller:
        stream = caller.begin(EMBED)
        caller.http2.end_stream(stream)
        until(lambda: caller.listen(0.01) or stream in caller.ended)
        assert caller.ended[stream] == (grpc.StatusCode.INVALID_ARGUMENT.value[0], "no request was sent")


def test_streams_slow_down_where_memory_is_short_and_are_refused_nothing(tiny_artifact):
    requests = [pb.StreamEmbedRequest(tokens=tokens(16)) for _ in range(20)]
    with running(tiny_artifact) as server:
        server.app._budget.limit = 1
        with ThreadPoolExecutor(3) as threads:
            streams = [threads.submit(streamed, server, requests) for _ in range(3)]
            assert [stream.result(300) for stream in streams] == [list(range(20))] * 3
        until(lambda: server.app._budget.total == 0)


def streamed(server, requests):
    replies = server.embedding.StreamEmbed(iter(requests), timeout=300)
    return [reply.sequence for reply in replies if reply.last_chunk]


def test_little_comes_before_it_is_asked_for(tiny_artifact):
    """gRPC would take in what comes, up to 64 kB a call, and megabytes on a fast network."""
    with running(tiny_artifact, max_streams=7) as server, raw(server.target) as caller:
        until(lambda: caller.listen(0.01) or caller.http2.remote_settings.max_concurrent_streams == 7)
        assert caller.http2.remote_settings.initial_window_size == UNASKED_BYTES


def test_connections_beyond_the_limit_are_not_taken(tiny_artifact):
    with running(tiny_artifact, max_connections=2) as server, raw(server.target) as one, raw(server.target) as other:
        until(
            lambda: (
                one.listen(0.01) or other.listen(0.01) or one.http2.remote_settings.initial_window_size == UNASKED_BYTES
            )
        )
        with raw(server.target) as third, pytest.raises(ConnectionResetError):
            until(lambda: third.listen(0.01))


@pytest.mark.parametrize("attack", ["requests that never come whole", "replies that are not taken"])
def test_the_process_stays_within_its_memory(tiny_artifact, attack):
    """Of twice what it may hold; bench/load/memory.py attacks harder. 10% are what comes between two looks."""
    with server_process(tiny_artifact, "--max-memory", "256MiB") as (target, pid), raw(target, window=0) as caller:
        most = 0.0
        if attack.startswith("requests"):
            data = framed(bytes(16 * MIB))[:-1]
            for _ in range(32):
                caller.send(caller.begin(EMBED), data, last=False)
                most = max(most, resident_mib(pid))
        else:
            request = tokens(400).SerializeToString()  # 7 MB, and as much again in the core
            for _ in range(40):
                caller.call(TOKENS, request)
                caller.listen(0.05)
                most = max(most, resident_mib(pid))
        assert most < 256 * 1.1
        until(lambda: caller.listen(0.01) or EXHAUSTED.value[0] in {status for status, _ in caller.ended.values()})
        with grpc.insecure_channel(target) as channel:
            embed = channel.unary_unary(f"/{EMBED}")
            until(lambda: answered(lambda: embed(pb.EmbedRequest(texts=["a"]).SerializeToString(), timeout=300)))
