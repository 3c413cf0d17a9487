"""Connections that break or fall silent, with the SDK's defaults: what a caller sees of it."""

import asyncio
import threading

import numpy as np
import pytest
from bench.lib.relay import GOAWAY, PING, Relay
from tests.client.fake_server import Faults, fake_server, vector_of

from polyseme.client import AsyncClient, Client
from polyseme.client._transport.channel import channel_options
from polyseme.client._transport.connection import DEFAULT_TIMEOUT_S
from polyseme.v1.embedding_service_pb2 import EmbedRequest

MANY = 600  # under way at once; gRPC's own bound of retries could not be set to as many failures
TEXTS = [f"text {number}" for number in range(1536)]  # several calls
ONE_CALL = TEXTS[:64]  # with a reply of 4 kB
MIDDLE = 2_000  # bytes from the server after which such a reply has begun and not ended


def both(*targets):
    return "ipv4:" + ",".join(targets)


def embed_concurrently(target, count, begun, lose):
    """Send so many calls, and more until one is held by the server that is to be lost; lose it; give the answers."""

    async def main():
        async with AsyncClient(target, timeout=300) as client:
            calls = [asyncio.create_task(client.embed(str(number))) for number in range(count)]
            while not begun.is_set():  # the other server may have connected first, and have answered all of these
                await asyncio.sleep(0.001)
                calls.append(asyncio.create_task(client.embed(str(len(calls)))))
            await asyncio.to_thread(lose)
            return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(main())


def test_no_call_fails_when_one_of_two_servers_is_lost_with_many_under_way():
    begun, lost = threading.Event(), threading.Event()

    def hold(*_):
        begun.set()
        assert lost.wait(300)

    with fake_server(faults=Faults(before_embed=hold)) as one, fake_server() as other, Relay(one.target) as relay:

        def lose():
            relay.close()
            lost.set()

        answers = embed_concurrently(both(relay.target, other.target), MANY, begun, lose)
    assert [str(answer) for answer in answers if isinstance(answer, Exception)] == []
    np.testing.assert_array_equal(answers, [vector_of(str(number)) for number in range(len(answers))])


def sent_again(server):
    """How many calls of Embed were sent more than once."""
    requests = [one.SerializeToString() for one in server.faults.requests if isinstance(one, EmbedRequest)]
    return len(requests) - len(set(requests))


@pytest.mark.parametrize("texts", [ONE_CALL, TEXTS], ids=["one call", "several calls"])
def test_a_call_whose_reply_breaks_off_is_sent_again(server, texts):
    with Relay(server.target) as relay, Client(relay.target) as client:
        relay.cut_after = MIDDLE
        np.testing.assert_array_equal(client.embed(texts), [vector_of(text) for text in texts])
    assert sent_again(server)


def test_a_call_whose_reply_breaks_off_is_sent_again_by_the_async_client(server):
    async def main(target):
        async with AsyncClient(target) as client:
            return await client.embed(ONE_CALL)

    with Relay(server.target) as relay:
        relay.cut_after = MIDDLE
        np.testing.assert_array_equal(asyncio.run(main(relay.target)), [vector_of(text) for text in ONE_CALL])
    assert sent_again(server) == 1


def test_a_call_to_a_server_that_falls_silent_is_answered_by_another():
    """It takes as long as the SDK waits before it gives a connection up."""
    with fake_server() as one, fake_server() as other, Relay(one.target) as relay:
        with Client(both(relay.target, other.target), timeout=300) as client:
            while not one.faults.calls:  # connected to both
                client.embed("a")
            relay.fall_silent()
            answers = [client.embed(str(number)) for number in range(4)]
        assert relay.from_client[PING]
    np.testing.assert_array_equal(answers, [vector_of(str(number)) for number in range(4)])


def test_a_stream_from_a_server_that_falls_silent_is_continued_by_another():
    with fake_server() as one, fake_server() as other, Relay(one.target) as first, Relay(other.target) as second:
        with Client(both(first.target, second.target), timeout=300) as client:
            rows = []
            for row in client.embed_stream(TEXTS):
                rows.append(row)
                if len(rows) == 1:
                    (first if one.faults.calls["StreamEmbed"] else second).fall_silent()
        assert {one.faults.calls["StreamEmbed"], other.faults.calls["StreamEmbed"]} == {1}
    np.testing.assert_array_equal(rows, [vector_of(text) for text in TEXTS])


def test_silence_is_noticed_before_the_default_timeout_and_pings_are_as_seldom_as_servers_ask():
    options = dict(channel_options())
    noticed_ms = options["grpc.keepalive_time_ms"] + options["grpc.keepalive_timeout_ms"]
    assert noticed_ms <= DEFAULT_TIMEOUT_S * 1000 - 10_000
    assert options["grpc.http2.ping_timeout_ms"] == options["grpc.keepalive_timeout_ms"]
    assert options["grpc.keepalive_time_ms"] > 10_000  # gRPC's proposal A8, and servers from before


def test_a_server_that_takes_fewer_pings_costs_no_call(server):
    """The double has gRPC's own defaults: a ping in 5 minutes. Here the SDK pings faster, so that the test need not."""
    options = [("grpc.keepalive_time_ms", 1000)]
    with Relay(server.target) as relay, Client(relay.target, options=options, timeout=300) as client:
        answers = []

        def hold(*_):
            answers.append(threading.Event())
            if len(answers) == 1:  # the first try is answered when the connection is gone
                while not relay.from_server[GOAWAY]:
                    answers[0].wait(0.1)

        server.faults.before_embed = hold
        np.testing.assert_array_equal(client.embed("a"), vector_of("a"))
        assert relay.from_server[GOAWAY]
