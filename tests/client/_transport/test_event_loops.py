"""One AsyncClient in several event loops."""

import asyncio
import threading

import pytest

from polyseme.client import AsyncClient, ClosedClientError, EventLoopError


async def embed(client):
    streamed = [vector async for vector in client.embed_stream(["a", "b"])]
    return (await client.embed("a")).shape, len(streamed)


def test_a_client_goes_on_in_the_next_loop(server):
    client = AsyncClient(server.target)
    assert [asyncio.run(embed(client)) for _ in range(3)] == [((12,), 2)] * 3
    asyncio.run(client.close())
    with pytest.raises(ClosedClientError):
        asyncio.run(embed(client))


def test_a_client_in_two_loops_at_once_says_what_to_do(server):
    client, entered, leave = AsyncClient(server.target), threading.Event(), threading.Event()

    def wait(request, context):
        entered.set()
        assert leave.wait(300)

    server.faults.before_embed = wait
    first = threading.Thread(target=lambda: asyncio.run(client.embed("a")))
    first.start()
    assert entered.wait(300)
    try:
        with pytest.raises(EventLoopError, match=r"another event loop uses this AsyncClient; make one in each loop"):
            asyncio.run(client.embed("a"))
    finally:
        leave.set()
        first.join(300)
    server.faults.before_embed = None
    assert asyncio.run(client.embed("a")).shape == (12,)
