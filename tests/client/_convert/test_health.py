import pytest
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from polyseme.client import HealthStatus, InvalidReplyError, NotFoundError
from polyseme.client._convert.health import health_request, health_status

SERVICE = "polyseme.v1.EmbeddingService"


@given(st.text(max_size=300))
def test_health_request_is_what_protobuf_reads(service):
    assert health_pb2.HealthCheckRequest.FromString(health_request(service)).service == service


@pytest.mark.parametrize("status", list(HealthStatus))
def test_health_status_reads_what_protobuf_writes(status):
    reply = health_pb2.HealthCheckResponse(status=status.name).SerializeToString()
    assert health_status(reply) is status


@pytest.mark.parametrize("reply", [b"\x08\x09", b"\x08", b"\xff", b"\x0a\x01a"])
def test_health_status_refuses(reply):
    with pytest.raises(InvalidReplyError, match=r"^health reply of "):
        health_status(reply)


def test_health_tells_life_from_readiness(client, server):
    server.set_health(SERVICE, serving=False)
    assert client.health() is HealthStatus.SERVING
    assert client.health(SERVICE) is HealthStatus.NOT_SERVING


def test_health_raises_not_found_for_an_unknown_service(client):
    with pytest.raises(NotFoundError):
        client.health("no.such.Service")
