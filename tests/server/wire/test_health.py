import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.server.running import refused, running

SERVICES = ("", "polyseme.v1.EmbeddingService", "polyseme.v1.ModelService", "polyseme.v1.PredictionService")
PATH = "/grpc.health.v1.Health/"
Code = grpc.StatusCode
has_list = pytest.mark.skipif(
    not hasattr(health_pb2, "HealthListRequest"), reason="this grpcio-health-checking has no Health/List"
)


def counted(server, method, code):
    """Calls of a method that ended with a status."""
    labels = {"method": f"grpc.health.v1.Health/{method}", "code": code.name, "model": ""}
    return server.app._metrics.registry.get_sample_value("polyseme_calls_total", labels) or 0


@pytest.mark.parametrize(
    ("method", "data"),
    [
        *[("Check", data) for data in (b"\xff", b"\x0a\x05abc", b"\x0a\x02\xc3\x28", b"\x78\x00" * 20_000)],
        *[pytest.param("List", data, marks=has_list) for data in (b"\xff", b"\x0a\x05abc", b"\x78\x00" * 20_000)],
    ],
)
def test_undecodable_requests_are_invalid_and_counted(server, caplog, method, data):
    before = counted(server, method, Code.INVALID_ARGUMENT)
    refused(lambda: server.channel.unary_unary(PATH + method)(data, timeout=300), Code.INVALID_ARGUMENT)
    assert counted(server, method, Code.INVALID_ARGUMENT) == before + 1
    assert caplog.text == ""


@pytest.mark.parametrize("messages", [[b"\xff"], []])
def test_a_watch_without_a_request_is_invalid_and_counted(server, caplog, messages):
    before = counted(server, "Watch", Code.INVALID_ARGUMENT)
    watch = server.channel.stream_stream(PATH + "Watch")
    refused(lambda: list(watch(iter(messages), timeout=300)), Code.INVALID_ARGUMENT)
    assert counted(server, "Watch", Code.INVALID_ARGUMENT) == before + 1
    assert caplog.text == ""


@has_list
def test_list_gives_every_service(server):
    reply = health_pb2_grpc.HealthStub(server.channel).List(health_pb2.HealthListRequest(), timeout=300)
    assert {name: one.status for name, one in reply.statuses.items()} == dict.fromkeys(
        SERVICES, health_pb2.HealthCheckResponse.SERVING
    )


def test_a_service_that_is_not_served_is_not_found(server):
    stub = health_pb2_grpc.HealthStub(server.channel)
    request = health_pb2.HealthCheckRequest(service="nope")
    refused(lambda: stub.Check(request, timeout=300), Code.NOT_FOUND, "not known here")
    watch = stub.Watch(request, timeout=300)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def test_health_is_asked_for_without_a_token(tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text("secret\n")
    with running(tiny_artifact, token_file=str(tmp_path / "tokens")) as server:
        stub = health_pb2_grpc.HealthStub(server.channel)
        reply = stub.Check(health_pb2.HealthCheckRequest(service=SERVICES[1]), timeout=300)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_a_watch_is_told_every_change(server):
    watch = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest(service=SERVICES[2]))
    told = [next(watch).status]
    for ready in (False, True):
        server.loop.call_soon_threadsafe(server.app._listener.set_ready, ready)
        told.append(next(watch).status)
    watch.cancel()
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert told == [serving, not_serving, serving]


def test_a_watch_by_way_of_a_proxy_knows_nothing_of_one_server(tiny_artifact):
    """It would be taken for the health of all servers behind the proxy."""
    request = health_pb2.HealthCheckRequest(service=SERVICES[1])
    with running(tiny_artifact) as server:
        stub = health_pb2_grpc.HealthStub(server.channel)

        async def drain():
            server.app._listener.set_ready(False)

        def first(metadata, service=SERVICES[1]):
            watch = stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=300, metadata=metadata)
            status = next(watch).status
            watch.cancel()
            return status

        by_proxy = (("x-forwarded-proto", "http"),)
        server.on_loop(drain())
        status = health_pb2.HealthCheckResponse
        assert first(()) == status.NOT_SERVING
        assert first(by_proxy) == status.SERVING
        assert first(by_proxy, "nope") == status.SERVICE_UNKNOWN
        assert stub.Check(request, timeout=300, metadata=by_proxy).status == status.NOT_SERVING
