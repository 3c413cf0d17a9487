"""Proxies of the environment, over real sockets: gRPC reads the variables when it makes a channel."""

import asyncio
import socket
from contextlib import closing

import numpy as np
import pytest
from tests.client.fake_server import vector_of

from polyseme.cli.main import main
from polyseme.client import AsyncClient, Client, HealthStatus, UnavailableError
from polyseme.client._transport.proxy import ENABLED, is_local, proxy_of

VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")


@pytest.fixture
def dead_proxy():
    """A port that nobody listens on, and that nobody else gets meanwhile."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def environment(monkeypatch):
    for name in (*VARIABLES, "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("variable", VARIABLES)
def test_loopback_never_goes_through_a_proxy(variable, dead_proxy, server, environment, capsys):
    async def use():
        async with AsyncClient(server.target) as client:
            return await client.embed("a"), await client.health()

    environment.setenv(variable, f"http://{dead_proxy}")
    with Client(server.target) as client:
        assert np.array_equal(client.embed("a"), vector_of("a"))
        assert client.health() is HealthStatus.SERVING
    assert asyncio.run(use())[1] is HealthStatus.SERVING
    assert main(["health", server.target]) == 0


def test_elsewhere_the_error_names_the_proxy_and_no_password(dead_proxy, environment):
    environment.setenv("https_proxy", f"http://me:s3cret@{dead_proxy}")
    with Client("host.invalid:50051", timeout=300) as client, pytest.raises(UnavailableError) as refused:
        client.health()
    assert f"(by way of the proxy {dead_proxy} of https_proxy; no_proxy names hosts without one)" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_the_caller_can_have_loopback_go_through_a_proxy(dead_proxy, server, environment):
    environment.setenv("http_proxy", f"http://{dead_proxy}")
    with Client(server.target, options=[(ENABLED, 1)]) as client, pytest.raises(UnavailableError):
        client.health()


@pytest.mark.parametrize(
    "target",
    [
        "localhost:1", "LOCALHOST.:1", "a.localhost:1", "127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "dns:///localhost:1",
        "dns:localhost:1", "dns://8.8.8.8/127.0.0.1:1", "ipv4:127.0.0.1:1,127.0.0.2:2", "ipv6:[::1]:1", "unix:/tmp/s",
        "unix:///tmp/s", "unix-abstract:name", "vsock:1:2",
    ],
)  # fmt: skip
def test_targets_of_this_machine(target):
    assert is_local(target)
    assert proxy_of(target, (), {"http_proxy": "http://p:1"}) == ""


@pytest.mark.parametrize(
    "target",
    [
        "host:1",
        "localhost.example:1",
        "10.0.0.1:1",
        "[::2]:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "dns:///host:1",
        "xds:///s",
    ],
)
def test_targets_elsewhere(target):
    assert not is_local(target)
    assert proxy_of(target, (), {"http_proxy": "http://p:1"}) == "the proxy p:1 of http_proxy"
    assert proxy_of(target, ((ENABLED, 0),), {"http_proxy": "http://p:1"}) == ""
    assert proxy_of(target, (), {}) == ""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"http_proxy": "http://p:1", "https_proxy": "http://q:2"}, "the proxy q:2 of https_proxy"),
        ({"http_proxy": "http://p"}, "the proxy p of http_proxy"),
        ({"http_proxy": "http://u:s3cret@p:port"}, "the proxy of http_proxy"),
        ({"http_proxy": "http://p:1", "no_proxy": "other, .example"}, ""),
        ({"http_proxy": "http://p:1", "no_proxy": "other"}, "the proxy p:1 of http_proxy"),
        (
            {"http_proxy": "http://p:1", "no_grpc_proxy": "other", "no_proxy": "a.example"},
            "the proxy p:1 of http_proxy",
        ),
        ({"HTTP_PROXY": "http://p:1"}, ""),
    ],
)
def test_the_proxy_is_the_one_that_grpc_takes(environment, expected):
    assert proxy_of("a.example:50051", (), environment) == expected
