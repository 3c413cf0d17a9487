"""The channel's promises, over real sockets: retries, and errors where nobody answers."""

import asyncio
import json
import socket
from contextlib import closing

import grpc
import numpy as np
import pytest
from tests.client.fake_server import vector_of

from polyseme.client import AsyncClient, Client, UnavailableError
from polyseme.client._transport.channel import channel_options, health_channel_options

DOWN = (grpc.StatusCode.UNAVAILABLE, "draining")
LARGE = ["x" * 200_000 + str(number) for number in range(4)]  # one call of 800 KB; gRPC's retry buffer is 256 KiB


def test_unavailable_is_retried(client, server):
    server.faults.failures = [DOWN, DOWN]
    assert np.array_equal(client.embed("a"), vector_of("a"))
    assert server.faults.calls == {"Embed": 3}


def test_unavailable_is_retried_by_the_async_client(server):
    async def use():
        async with AsyncClient(server.target) as client:
            return await client.embed("a")

    server.faults.failures = [DOWN, DOWN]
    assert np.array_equal(asyncio.run(use()), vector_of("a"))


def test_a_large_request_is_retried(client, server):
    server.faults.failures = [DOWN, DOWN]
    assert len(client.embed(LARGE)) == 4
    assert server.faults.calls == {"Embed": 3}


def test_a_large_request_is_not_retried_with_the_default_buffer(server):
    """Why the option is there: should this fail, gRPC's default has changed."""
    server.faults.failures = [DOWN, DOWN]
    options = [("grpc.per_rpc_retry_buffer_size", 256 * 1024)]
    with Client(server.target, options=options) as client, pytest.raises(UnavailableError):
        client.embed(LARGE)


def test_retries_end(client, server):
    server.faults.failures = [DOWN] * 19
    with pytest.raises(UnavailableError, match=f"^{server.target}: draining$"):
        client.embed("a")
    assert server.faults.calls == {"Embed": 10}  # gRPC's five tries, twice


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL])
def test_other_statuses_are_not_retried(client, server, code):
    server.faults.failures = [(code, "no")]
    with pytest.raises(Exception, match=r"no$"):
        client.embed("a")
    assert server.faults.calls == {"Embed": 1}


def _is_unavailable(target):
    """And not DeadlineExceededError, which is what there would be at the end of the timeout."""
    with Client(target, timeout=300) as client, pytest.raises(UnavailableError, match=f"^{target}: "):
        client.embed("a")


def test_a_closed_port_is_an_error_long_before_the_timeout(closed_port):
    _is_unavailable(f"127.0.0.1:{closed_port}")


def test_a_port_that_never_answers_is_an_error_long_before_the_timeout():
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # the kernel connects, nobody accepts
        _is_unavailable(f"127.0.0.1:{silent.getsockname()[1]}")


def test_a_closed_port_is_an_error_for_the_async_client(closed_port):
    async def use():
        async with AsyncClient(f"127.0.0.1:{closed_port}") as client:
            await client.embed("a")

    with pytest.raises(UnavailableError):
        asyncio.run(use())


def test_a_server_that_does_not_serve_gets_no_calls(server):
    server.set_health("polyseme.v1.EmbeddingService", serving=False)
    with Client(server.target) as client, pytest.raises(UnavailableError):
        client.embed("a")
    assert not server.faults.calls


def test_channel_options_can_be_overridden():
    assert dict(channel_options([("grpc.keepalive_time_ms", 7)]))["grpc.keepalive_time_ms"] == 7


def test_channel_options_retry_unavailable_alone():
    config = json.loads(dict(channel_options())["grpc.service_config"])
    assert config["methodConfig"][0]["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]


def test_health_channel_options_neither_retry_nor_heed_health():
    options = dict(health_channel_options([("grpc.service_config", "{}")]))
    assert ("grpc.service_config" in options, options["grpc.enable_retries"]) == (False, 0)
