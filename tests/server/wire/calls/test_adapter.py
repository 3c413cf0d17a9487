import threading
import time
from collections import Counter

import grpc
import pytest
from tests.server.running import running

from polyseme.server.wire.calls.adapter import _Adapter
from polyseme.v1 import embedding_service_pb2

METHODS = ["EmbeddingService/Embed", "ModelService/ListModels", "EmbeddingService/StreamEmbed"]


def never_sent(channel, method, metadata=()):
    """Begin a call whose request never comes; gives its status."""
    stop = threading.Event()

    def requests():
        stop.wait()
        yield from ()

    call = channel.stream_stream(f"/polyseme.v1.{method}")(requests(), metadata=metadata, timeout=300)
    try:
        return call.code()
    finally:
        stop.set()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("token", ["", "Bearer wrong"])
def test_a_stranger_is_refused_before_a_request_is_received(tiny_artifact, tmp_path, method, token):
    (tmp_path / "tokens").write_text("secret\n")
    with running(tiny_artifact, token_file=str(tmp_path / "tokens")) as server:
        # A server that waited for the request would end the call at its deadline.
        metadata = (("authorization", token),) if token else ()
        assert never_sent(server.channel, method, metadata) is grpc.StatusCode.UNAUTHENTICATED
        labels = {"method": method.rpartition("/")[2], "code": "UNAUTHENTICATED", "model": ""}
        assert server.app._metrics.registry.get_sample_value("polyseme_calls_total", labels) == 1
        assert server.app._admission.calls == 0


def test_a_large_request_of_a_stranger_is_refused(tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text("secret\n")
    with running(tiny_artifact, token_file=str(tmp_path / "tokens")) as server:
        call = server.channel.unary_unary("/polyseme.v1.EmbeddingService/Embed")
        with pytest.raises(grpc.RpcError) as error:
            call(b"\x0a\x00" * (8 << 20), timeout=300)
    assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_server_that_drains_refuses_before_a_request_is_received(tiny_artifact):
    with running(tiny_artifact) as server:
        server.loop.call_soon_threadsafe(server.app._admission.close, "draining")
        assert never_sent(server.channel, METHODS[0]) is grpc.StatusCode.UNAVAILABLE


def test_a_caller_that_has_all_calls_keeps_no_other_out(tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text("flood\nlight\n")
    request = embedding_service_pb2.EmbedRequest(texts=["a"])
    settings = {"max_concurrent_calls": 4, "token_file": str(tmp_path / "tokens")}
    with running(tiny_artifact, **settings) as server, server.faults.held() as held:

        def embed(token):
            return server.embedding.Embed.future(request, metadata=[("authorization", f"Bearer {token}")], timeout=300)

        flood = [embed("flood") for _ in range(4)]
        while server.app._admission.calls < 4:
            time.sleep(0.01)
        assert embed("flood").code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        light = embed("light")
        while server.app._admission.calls < 5:
            time.sleep(0.01)
        assert embed("light").code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        held.gate.set()
        assert [call.code() for call in (*flood, light)] == [grpc.StatusCode.OK] * 5


def test_calls_beyond_the_limit_are_all_told_when_to_come_again(tiny_artifact):
    """gRPC's core would end most of them with CANCELLED: more than 1,000 wait for the event loop."""
    count = 10_000
    with running(tiny_artifact, max_concurrent_calls=8) as server:
        held = threading.Event()
        server.loop.call_soon_threadsafe(held.wait, 5)  # all have arrived before the first is begun
        embed = server.embedding.Embed
        calls = [embed.future(embedding_service_pb2.EmbedRequest(texts=["a"]), timeout=300) for _ in range(count)]
        held.set()
        codes = Counter(call.code() for call in calls)
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        refusals = [call for call in calls if call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert all("grpc-retry-pushback-ms" in dict(call.trailing_metadata()) for call in refusals)
        registry = server.app._metrics.registry
        assert dict(codes) == {
            code: sum(
                registry.get_sample_value(
                    "polyseme_calls_total", {"method": "Embed", "code": code.name, "model": model}
                )
                or 0
                for model in ("tiny", "")
            )
            for code in codes
        }


def test_no_status_is_sent_to_a_caller_whose_deadline_has_passed(tiny_artifact, monkeypatch):
    """It would reach nobody, and grpcio never frees what it could not send."""
    ends, pass_ = [], _Adapter._pass

    async def noted(*arguments):
        try:
            return await pass_(*arguments)
        except BaseException as error:
            ends.append(type(error).__name__)
            raise

    monkeypatch.setattr(_Adapter, "_pass", noted)
    with running(tiny_artifact) as server:
        request = embedding_service_pb2.EmbedRequest(texts=["a"])
        server.embedding.Embed(request, timeout=300)
        held = threading.Event()
        server.loop.call_soon_threadsafe(held.wait)  # so that the call begins after its deadline
        call = server.embedding.Embed.future(request, timeout=0.2)
        assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        time.sleep(0.2)  # the server's deadline is later by the time that the call took to come
        held.set()
        while not ends:
            time.sleep(0.01)
        assert ends == ["CancelledError"]
        labels = {"method": "Embed", "code": "DEADLINE_EXCEEDED", "model": ""}
        assert server.app._metrics.registry.get_sample_value("polyseme_calls_total", labels) == 1
