import asyncio
import threading

import grpc
import numpy as np
import pytest
from tests.client.fake_server import DIMENSIONS, vector_of

from polyseme.client import AsyncClient, ClosedClientError, HealthStatus, InvalidArgumentError, NotFoundError

MANY = [f"text {number}" for number in range(1024)]  # four calls of 256


def _run(server, use):
    async def main():
        async with AsyncClient(server.target) as client:
            return await use(client)

    return asyncio.run(main())


def test_async_client_has_the_results_of_client(server, client):
    async def use(other):
        return (
            await other.embed("a"),
            await other.embed(["a", "b"], dtype="int8"),
            await other.similarity(["a", "b"], "c", metric="dot"),
            await other.similarity_pairwise(["a"], ["b"]),
            (await other.top_k("a", ["b", "a"], 1)).indices,
        )

    expected = (
        client.embed("a"),
        client.embed(["a", "b"], dtype="int8"),
        client.similarity(["a", "b"], "c", metric="dot"),
        client.similarity_pairwise(["a"], ["b"]),
        client.top_k("a", ["b", "a"], 1).indices,
    )
    assert all(np.array_equal(got, want) for got, want in zip(_run(server, use), expected, strict=True))


def test_async_client_has_the_values_of_client(server, client):
    async def use(other):
        return await other.tokenize(["a"]), await other.tokenize("a"), await other.models(), await other.model()

    assert _run(server, use) == (client.tokenize(["a"]), client.tokenize("a"), client.models(), client.model())


def test_embed_splits_and_keeps_order(server):
    answered = [threading.Event() for _ in range(5)]
    answered[4].set()

    def wait_for_the_next_call(request, context):
        number = MANY.index(request.texts[0]) // 256
        assert answered[number + 1].wait(300)
        answered[number].set()

    server.faults.before_embed = wait_for_the_next_call
    vectors = _run(server, lambda client: client.embed(MANY))
    assert np.array_equal(vectors, np.stack([vector_of(text) for text in MANY]))


def test_embed_raises_typed_errors(server):
    with pytest.raises(NotFoundError, match=f"^{server.target}: no model other"):
        _run(server, lambda client: client.embed(MANY, model="other"))
    with pytest.raises(InvalidArgumentError, match=r"^texts\[0\] has a lone surrogate"):
        _run(server, lambda client: client.embed("\ud800"))


def test_embed_cancels_the_other_calls_after_an_error(server):
    arrived, cancelled = threading.Barrier(3), threading.Semaphore(0)

    def fail_the_second(request, context):
        number = MANY.index(request.texts[0]) // 256
        if number == 0:
            return
        ended = threading.Event()
        context.add_callback(ended.set)
        arrived.wait(300)
        if number == 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "texts[0] is bad")
        assert ended.wait(300)
        cancelled.release()

    server.faults.before_embed = fail_the_second
    with pytest.raises(InvalidArgumentError):
        _run(server, lambda client: client.embed(MANY))
    assert cancelled.acquire(timeout=300)
    assert cancelled.acquire(timeout=300)


def test_embed_cancels_its_calls_with_its_task(server):
    arrived, cancelled = threading.Semaphore(0), threading.Semaphore(0)

    def wait(request, context):
        ended = threading.Event()
        context.add_callback(ended.set)
        arrived.release()
        assert ended.wait(300)
        cancelled.release()

    async def use(client):
        task = asyncio.create_task(client.embed(MANY))
        for _ in range(4):
            assert await asyncio.to_thread(arrived.acquire, timeout=300)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(4):
            assert await asyncio.to_thread(cancelled.acquire, timeout=300)

    server.faults.before_embed = wait
    _run(server, use)


def test_embed_runs_many_at_once(server):
    async def use(client):
        return await asyncio.gather(*(client.embed(text) for text in MANY[:50]))

    vectors = _run(server, use)
    assert np.array_equal(np.stack(vectors), np.stack([vector_of(text) for text in MANY[:50]]))


def test_embed_detailed_gives_dimensions(server):
    assert _run(server, lambda client: client.embed_detailed("a")).dimensions == DIMENSIONS


def test_health_gives_the_status(server):
    assert _run(server, lambda client: client.health()) is HealthStatus.SERVING


def test_async_client_can_be_made_outside_a_loop(server):
    client = AsyncClient(server.target)

    async def use():
        try:
            return await client.embed("a")
        finally:
            await client.close()

    assert asyncio.run(use()).shape == (DIMENSIONS,)


def test_async_client_refuses_calls_after_close(server):
    async def use(client):
        await client.close()
        for call in (client.embed("a"), client.health(), client.models(), anext(client.embed_stream(["a"]))):
            with pytest.raises(ClosedClientError):
                await call

    _run(server, use)


@pytest.mark.parametrize("texts", ["a", MANY], ids=["one call", "several calls"])
def test_close_ends_calls_under_way(server, texts):
    arrived, ended = threading.Event(), threading.Event()

    def wait(request, context):
        context.add_callback(ended.set)
        arrived.set()
        assert ended.wait(300)

    async def use(client):
        task = asyncio.create_task(client.embed(texts))
        assert await asyncio.to_thread(arrived.wait, 300)
        await client.close()
        with pytest.raises(ClosedClientError, match=f"^the client of {server.target} is closed$"):
            await task

    server.faults.before_embed = wait
    _run(server, use)


def test_a_timeout_of_asyncio_stays_what_it_is(server):
    ended = threading.Event()

    def wait(request, context):
        context.add_callback(ended.set)
        assert ended.wait(300)

    async def use(client):
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(client.embed("a"), 0.1)
        assert type(caught.value) is TimeoutError

    server.faults.before_embed = wait
    _run(server, use)


def test_embed_sends_a_call_of_a_long_list_again_when_a_full_server_says(server):
    full = [True]

    def refuse(request, context):
        if request.texts[0] == MANY[512] and full:
            full.pop()
            context.set_trailing_metadata((("grpc-retry-pushback-ms", "5"),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue is full")

    server.faults.before_embed = refuse
    vectors = _run(server, lambda client: client.embed(MANY))
    assert np.array_equal(vectors, np.stack([vector_of(text) for text in MANY]))
    assert server.faults.calls["Embed"] == 5
