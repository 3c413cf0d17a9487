import asyncio
import gc
import itertools
import math
import threading
import time
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from tests.client.fake_server import DIMENSIONS, fake_server, identity, vector_of

from polyseme.client import (
    AsyncClient,
    Client,
    ClosedClientError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    InvalidReplyError,
    ModelChangedError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
    UnimplementedError,
)
from polyseme.client._plans.streams import embed_stream, resumable
from polyseme.v1.embedding_service_pb2 import StreamError

AHEAD = 16 * 64 + 1  # the window, and one text that did not fit


def _texts(count):
    return (f"text {number}" for number in range(count))


def _expected(count):
    return np.stack([vector_of(text) for text in _texts(count)])


def _sync(server, texts, **options):
    with Client(server.target, timeout=300) as client:
        return list(client.embed_stream(texts, **options))


def _async(server, texts, **options):
    async def use():
        async with AsyncClient(server.target, timeout=300) as client:
            return [vector async for vector in client.embed_stream(texts, **options)]

    return asyncio.run(use())


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def collect(request, server):
    """Embed a stream with either client."""
    return lambda texts, **options: request.param(server, texts, **options)


@pytest.fixture
def quick(monkeypatch):
    """Come again at once after a stream broke."""
    monkeypatch.setattr(resumable, "FIRST_WAIT_S", 0.01)


@pytest.fixture
def seconds(monkeypatch):
    """A clock of streams on which more seconds pass at every look, as many as a test says."""
    passed = SimpleNamespace(now=0.0, each_look=0.0)

    def look():
        passed.now += passed.each_look
        return passed.now

    monkeypatch.setattr(embed_stream, "time", SimpleNamespace(monotonic=look))
    return passed


def _stream_threads():
    return [thread for thread in threading.enumerate() if thread.name == "polyseme-stream"]


def _wait_until(true, seconds=300):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _marked(text, error):
    """Refuse each message that holds this text."""

    def on_message(sequence, message, context):
        if text in message.embed.texts:
            index = list(message.embed.texts).index(text)
            return StreamError(code=error.code, message=error.message.replace("#", str(index)))
        return None

    return on_message


TOO_LONG = StreamError(code=3, message="texts[#] has 913 tokens; limit 512")


@pytest.mark.parametrize("count", [0, 1, 64, 65, 3000])
def test_embed_stream_gives_a_vector_for_each_text_in_order(collect, count):
    vectors = collect(_texts(count))
    assert len(vectors) == count
    assert not count or np.array_equal(np.stack(vectors), _expected(count))


def test_embed_stream_is_one_call_of_messages_of_64_texts(collect, server):
    collect(_texts(200))
    assert server.faults.calls == {"StreamEmbed": 1}
    assert [len(message.embed.texts) for message in server.faults.messages] == [64, 64, 64, 8]
    assert {message.embed.priority for message in server.faults.messages} == {2}


def test_embed_stream_keeps_messages_within_16_kib(collect, server):
    texts = ["x" * 6000 + str(number) for number in range(10)]
    assert np.array_equal(collect(texts), [vector_of(text) for text in texts])
    assert [len(message.embed.texts) for message in server.faults.messages] == [2] * 5


def test_embed_stream_sends_a_text_over_16_kib_alone(collect, server):
    collect(["a", "x" * 40_000, "b"])
    assert [len(message.embed.texts) for message in server.faults.messages] == [1, 1, 1]


def test_embed_stream_gives_arrays_of_their_own(collect):
    for vector in collect(["a", "b"]):
        assert (vector.shape, vector.dtype) == ((DIMENSIONS,), np.float32)
        assert vector.flags.owndata
        assert vector.flags.writeable


def test_embed_stream_gives_packed_bits(collect):
    (bits,) = collect(["a"], dtype="binary")
    assert np.array_equal(np.unpackbits(bits, count=DIMENSIONS), vector_of("a") > 0)


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_embed_stream_puts_chunks_together(collect, server, rows):
    server.faults.chunk_rows = rows
    assert np.array_equal(collect(_texts(150)), _expected(150))


def test_embed_stream_reads_a_hundred_thousand_texts_no_further_than_the_window(client):
    read = 0

    def texts():
        nonlocal read
        for text in ("a", "b") * 50_000:
            read += 1
            yield text

    most = 0
    for given, _vector in enumerate(client.embed_stream(texts())):
        most = max(most, read - given)
    assert given == 99_999
    assert 1000 < most <= AHEAD


def test_embed_stream_of_the_async_client_takes_an_async_iterable_no_further_than_the_window(server):
    async def use():
        read = most = given = 0

        async def texts():
            nonlocal read
            for text in _texts(5000):
                read += 1
                yield text

        async with AsyncClient(server.target) as client:
            async for _vector in client.embed_stream(texts()):
                most, given = max(most, read - given), given + 1
        return most, given

    most, given = asyncio.run(use())
    assert given == 5000
    assert 1000 < most <= AHEAD


def test_embed_stream_keeps_sixteen_messages_unanswered_and_no_more(client, server):
    release, received = threading.Event(), []

    def pulled():
        for number, text in enumerate(_texts(64 * 40)):
            received.append(number)
            yield text

    server.faults.on_message = lambda sequence, message, context: release.wait(300) and None
    vectors = client.embed_stream(pulled())
    first = threading.Thread(target=lambda: next(vectors))
    first.start()
    _wait_until(lambda: len(received) >= 64 * 16)
    assert len(received) == 64 * 16
    release.set()
    first.join(300)
    vectors.close()


def test_embed_stream_gives_what_is_there_before_a_slow_source_has_more(client):
    answered = threading.Event()

    def texts():
        yield from _texts(128)
        assert answered.wait(300)  # for what came before, while the source still has texts
        yield "last"

    def slow():
        for number, text in enumerate(texts()):
            if number % 64 == 0:
                time.sleep(0.2)
            yield text

    vectors = client.embed_stream(slow())
    next(vectors)
    answered.set()
    assert len(list(vectors)) == 128


def test_embed_stream_raises_the_error_of_a_text_with_its_index(server, collect):
    server.faults.on_message = _marked("text 200", TOO_LONG)
    with pytest.raises(InvalidArgumentError, match=f"^{server.target}: texts\\[200\\] has 913 tokens; limit 512$"):
        collect(_texts(1000))


def test_embed_stream_gives_the_vectors_before_the_text_that_fails(server, client):
    server.faults.on_message = _marked("text 200", TOO_LONG)
    vectors = []
    with pytest.raises(InvalidArgumentError):  # noqa: PT012
        for vector in client.embed_stream(_texts(1000)):
            vectors.append(vector)  # noqa: PERF402
    assert np.array_equal(vectors, _expected(200))


def test_embed_stream_returns_errors_in_place_of_vectors(server, collect):
    server.faults.on_message = _marked("text 70", TOO_LONG)
    results = collect(itertools.chain(_texts(100), [None, "\ud800"], _texts(80)), on_error="return")
    errors = {index: str(result) for index, result in enumerate(results) if isinstance(result, Exception)}
    assert len(results) == 182
    assert errors == {
        70: f"{server.target}: texts[70] has 913 tokens; limit 512",
        100: "texts[100] must be str, got NoneType",
        101: "texts[101] has a lone surrogate at position 0; it cannot be sent as UTF-8",
        172: f"{server.target}: texts[172] has 913 tokens; limit 512",
    }
    assert np.array_equal(results[71], vector_of("text 71"))


def test_embed_stream_names_the_text_where_the_server_does_not(server, collect):
    server.faults.on_message = _marked("text 3", StreamError(code=13, message="error 0123abcd"))
    with pytest.raises(InternalError, match=f"^{server.target}: texts\\[3\\]: error 0123abcd$"):
        collect(_texts(10))


@pytest.mark.parametrize("on_error", ["raise", "return"])
def test_embed_stream_raises_what_is_no_texts_error(server, collect, on_error):
    server.faults.on_message = _marked("text 3", StreamError(code=5, message="no model other"))
    with pytest.raises(NotFoundError):
        collect(_texts(10), on_error=on_error)


@pytest.mark.parametrize("on_error", ["raise", "return"])
def test_embed_stream_raises_at_once_where_the_server_names_another_field(server, collect, on_error):
    refused = StreamError(code=3, message="dimensions: got 9; limit 8", field="dimensions")
    server.faults.on_message = lambda *_: refused
    with pytest.raises(InvalidArgumentError, match=f"^{server.target}: dimensions: got 9; limit 8$") as caught:
        collect(_texts(70), on_error=on_error)
    assert caught.value.field == "dimensions"
    assert all(len(message.embed.texts) > 1 for message in server.faults.messages)  # none was sent again, alone


@pytest.mark.parametrize("bad", [3, "\ud800", b"a"])
def test_embed_stream_raises_for_a_bad_text_after_the_vectors_before_it(client, bad):
    vectors = []
    with pytest.raises(InvalidArgumentError, match=r"^texts\[70\] "):  # noqa: PT012
        for vector in client.embed_stream(itertools.chain(_texts(70), [bad], _texts(5))):
            vectors.append(vector)  # noqa: PERF402
    assert np.array_equal(vectors, _expected(70))


def test_embed_stream_comes_again_when_a_full_server_says(server, collect):
    refusals = itertools.cycle([True, False, False])

    def on_message(sequence, message, context):
        full = StreamError(code=8, message="queue is full", retry_after_ms=5)
        return full if next(refusals) else None

    server.faults.on_message = on_message
    assert np.array_equal(collect(_texts(64 * 40)), _expected(64 * 40))


def test_embed_stream_gives_up_on_a_server_that_stays_full(server, collect, seconds):
    seconds.each_look = 10.0
    full = StreamError(code=8, message="queue is full", retry_after_ms=5)
    server.faults.on_message = lambda sequence, message, context: full
    with pytest.raises(ResourceExhaustedError, match="queue is full"):
        collect(_texts(10), timeout=300)
    assert len(server.faults.messages) > 2
    assert seconds.now >= 300


def test_embed_stream_waits_where_the_server_takes_no_more_streams(server, collect):
    server.faults.failures = [(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")] * 2
    server.faults.trailers = (("grpc-retry-pushback-ms", "10"),)
    assert np.array_equal(collect(_texts(10)), _expected(10))
    assert server.faults.calls["StreamEmbed"] == 3


def test_embed_stream_goes_on_after_broken_streams(server, collect, quick):
    breaks = iter([3, 0, 5])

    def on_message(sequence, message, context):
        if sequence == on_message.at:
            on_message.at = next(breaks, -1)
            context.abort(grpc.StatusCode.UNAVAILABLE, "draining")

    on_message.at = next(breaks)
    server.faults.on_message = on_message
    assert np.array_equal(collect(_texts(2000)), _expected(2000))
    assert server.faults.calls["StreamEmbed"] == 4


def test_embed_stream_goes_on_where_a_message_meets_a_draining_server(server, collect, quick):
    refused = iter([StreamError(code=14, message="draining")])
    server.faults.on_message = lambda sequence, message, context: next(refused, None) if sequence == 2 else None
    assert np.array_equal(collect(_texts(1000)), _expected(1000))
    assert server.faults.calls["StreamEmbed"] == 2


def test_embed_stream_goes_on_where_the_server_ends_the_stream_early(server, collect, quick):
    ends = iter(["end"])
    server.faults.on_message = lambda sequence, message, context: next(ends, None) if sequence == 3 else None
    assert np.array_equal(collect(_texts(1000)), _expected(1000))
    assert server.faults.calls["StreamEmbed"] == 2


def test_embed_stream_survives_a_server_that_dies_and_comes_back(quick, monkeypatch):
    monkeypatch.setattr(resumable, "FIRST_WAIT_S", 0.05)
    with fake_server() as first:
        reached = threading.Event()

        def on_message(sequence, message, context):
            if sequence == 5:
                reached.set()
                assert stopped.wait(300)

        stopped = threading.Event()
        first.faults.on_message = on_message
        results = []
        with Client(first.target) as client:
            run = threading.Thread(target=lambda: results.extend(client.embed_stream(_texts(3000))))
            run.start()
            assert reached.wait(300)
            threading.Timer(0.1, stopped.set).start()
            first.kill()
            with fake_server(first.target) as second:
                run.join(300)
                assert not run.is_alive()
                assert second.faults.calls["StreamEmbed"] == 1
        assert np.array_equal(results, _expected(3000))


def test_embed_stream_ends_its_tries(server, collect, quick):
    server.faults.failures = [(grpc.StatusCode.UNAVAILABLE, "draining")] * 9
    with pytest.raises(UnavailableError, match=r"draining|the stream broke"):  # grpc.aio may lose the server's words
        collect(_texts(10))
    assert server.faults.calls["StreamEmbed"] == 1 + resumable.MAX_TRIES


def test_embed_stream_ends_where_a_reply_takes_longer_than_the_timeout(server, collect):
    ended = threading.Event()

    def on_message(sequence, message, context):
        context.add_callback(ended.set)
        assert ended.wait(300)

    server.faults.on_message = on_message
    with pytest.raises(DeadlineExceededError, match=r"no reply within 0\.1 s"):
        collect(_texts(10), timeout=0.1)
    assert ended.wait(300)


def test_embed_stream_as_a_whole_may_take_longer_than_the_timeout(server, collect, seconds):
    seconds.each_look, left = 100.0, []

    def on_message(sequence, message, context):
        left.append(context.time_remaining())

    server.faults.on_message = on_message
    assert len(collect(_texts(64 * 32), timeout=300)) == 64 * 32
    assert (len(left), min(left) > 1e9) == (32, True), "gRPC has no deadline for the whole"
    assert seconds.now > 300


def test_embed_stream_waits_without_end_where_asked(collect):
    assert len(collect(["a"], timeout=math.inf)) == 1


def test_embed_stream_cancels_the_call_when_it_is_left(client, server):
    ended = threading.Event()
    server.faults.on_message = lambda sequence, message, context: (context.add_callback(ended.set), None)[1]
    vectors = client.embed_stream(_texts(10**9))
    assert np.array_equal(next(vectors), vector_of("text 0"))
    vectors.close()
    assert ended.wait(300)
    _wait_until(lambda: not _stream_threads())


def test_embed_stream_cancels_the_call_when_it_is_dropped(client, server):
    ended = threading.Event()
    server.faults.on_message = lambda sequence, message, context: (context.add_callback(ended.set), None)[1]
    for _vector in client.embed_stream(_texts(10**9)):
        break
    gc.collect()
    assert ended.wait(300)
    _wait_until(lambda: not _stream_threads())


def test_embed_stream_leaves_no_thread(client):
    list(client.embed_stream(_texts(100)))
    _wait_until(lambda: not _stream_threads())


def test_embed_stream_of_the_async_client_cancels_the_call_when_it_is_left(server):
    ended = threading.Event()
    server.faults.on_message = lambda sequence, message, context: (context.add_callback(ended.set), None)[1]

    async def use():
        async with AsyncClient(server.target) as client:
            vectors = client.embed_stream(_texts(10**9))
            await anext(vectors)
            await vectors.aclose()
            assert await asyncio.to_thread(ended.wait, 300)

    asyncio.run(use())


def test_embed_stream_of_the_async_client_cancels_its_call_with_its_task(server):
    arrived, ended = threading.Event(), threading.Event()

    def on_message(sequence, message, context):
        context.add_callback(ended.set)
        arrived.set()
        assert ended.wait(300)

    async def use():
        async with AsyncClient(server.target) as client:
            vectors = client.embed_stream(_texts(100))
            task = asyncio.create_task(anext(vectors))
            assert await asyncio.to_thread(arrived.wait, 300)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(ended.wait, 300)

    server.faults.on_message = on_message
    asyncio.run(use())


def test_embed_stream_raises_when_the_client_is_closed_under_it(server):
    arrived, ended = threading.Event(), threading.Event()

    def on_message(sequence, message, context):
        context.add_callback(ended.set)
        arrived.set()
        assert ended.wait(300)

    server.faults.on_message = on_message
    client, errors = Client(server.target), []

    def use():
        try:
            list(client.embed_stream(_texts(100)))
        except ClosedClientError as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    assert arrived.wait(300)
    client.close()
    thread.join(300)
    assert len(errors) == 1

    async def closed():
        arrived.clear()
        ended.clear()
        client = AsyncClient(server.target)
        task = asyncio.create_task(anext(client.embed_stream(_texts(100))))
        assert await asyncio.to_thread(arrived.wait, 300)
        await client.close()
        with pytest.raises(ClosedClientError):
            await task

    asyncio.run(closed())


def test_embed_stream_lets_the_errors_of_the_source_through(server, collect):
    def texts():
        yield "a"
        raise KeyError("source")

    with pytest.raises(KeyError, match="source"):
        collect(texts())


def test_embed_stream_refuses_to_mix_two_models(server, collect):
    def change(chunk):
        if chunk.sequence:
            chunk.embed.model.CopyFrom(identity("bbbbbbbbbbbb"))
        return chunk

    server.faults.mutate_chunk = change
    with pytest.raises(ModelChangedError, match="within one stream"):
        collect(_texts(100))


def _later(chunk):
    chunk.sequence += 1
    return chunk


def _skipped(chunk):
    chunk.chunk_index += 1
    return chunk


def _short(chunk):
    chunk.last_chunk = True
    return chunk


def _moved(chunk):
    chunk.first_text += 1
    return chunk


def _nothing(chunk):
    chunk.ClearField("embed")
    return chunk


def _other(chunk):
    chunk.tokens.SetInParent()
    return chunk


@pytest.mark.parametrize("mutate", [_later, _skipped, _short, _moved, _nothing, _other])
def test_embed_stream_refuses_replies_in_disorder(server, collect, mutate):
    server.faults.chunk_rows = 3
    server.faults.mutate_chunk = mutate
    with pytest.raises(InvalidReplyError):
        collect(_texts(10))


@pytest.mark.parametrize(
    ("texts", "options"),
    [("abc", {}), ({"a"}, {}), (3, {}), (["a"], {"on_error": "skip"}), (["a"], {"dimensions": "7"}), (b"a", {})],
)
def test_embed_stream_checks_its_arguments_when_called(server, texts, options):
    for client in (Client(server.target), AsyncClient(server.target)):
        with pytest.raises(InvalidArgumentError):
            client.embed_stream(texts, **options)


def test_embed_stream_says_which_method_an_old_server_does_not_have(server, collect):
    # As often as a stream may be opened: grpc.aio may lose the first status, and then the stream is opened again.
    server.faults.failures = [(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")] * 6
    with pytest.raises(
        UnimplementedError, match=r"the server does not have /polyseme\.v1\.EmbeddingService/StreamEmbed"
    ):
        collect(["a"])


def test_embed_stream_shows_progress(collect):
    assert len(collect(_texts(100), progress=True)) == 100
    assert len(collect(_texts(100), progress=True, total=100)) == 100
