import pytest

from polyseme.server.wire.calls.proxies import came_by_proxy

USER_AGENT = ("user-agent", "grpc-python/1.85.1")


@pytest.mark.parametrize(
    "metadata",
    [
        (("x-forwarded-proto", "http"), ("x-request-id", "dc655438"), ("x-envoy-expected-rq-timeout-ms", "15000")),
        (("x-envoy-internal", "true"),),
        (("x-forwarded-for", "192.0.2.1"),),
        (("forwarded", "for=192.0.2.1"),),
        (("via", "1.1 google"),),
    ],
)
def test_headers_of_proxies(metadata):
    assert came_by_proxy((USER_AGENT, *metadata))


@pytest.mark.parametrize(
    "metadata", [None, (), (USER_AGENT,), (("x-request-id", "a caller's own"), ("authorization", "Bearer a"))]
)
def test_headers_of_callers(metadata):
    assert not came_by_proxy(metadata)
