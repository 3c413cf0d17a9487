from tests.gateway.running import gateway_to
from tests.server.running import running


def test_health_is_that_of_the_server(gateway):
    answered = gateway.ask("/healthz")
    assert (answered.status, answered.json) == (200, {"status": "SERVING"})


def test_health_without_a_server_is_503(nobody):
    with gateway_to(nobody) as gateway:
        answered = gateway.ask("/healthz")
    assert (answered.status, answered.json) == (503, {"status": "UNREACHABLE"})


def test_a_server_that_drains_is_not_healthy(tiny_artifact):
    with running(tiny_artifact) as server, gateway_to(server.target) as gateway:
        server.app._listener._health.set("polyseme.v1.EmbeddingService", serving=False)
        answered = gateway.ask("/healthz")
    assert (answered.status, answered.json) == (503, {"status": "NOT_SERVING"})
