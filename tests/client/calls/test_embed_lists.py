"""embed with lists that take several calls: how they are split, sent, sent again, and end."""

import threading
from contextlib import contextmanager

import grpc
import numpy as np
import pytest
from tests.client.fake_server import DIMENSIONS, MANY, vectors_of

from polyseme.client import InvalidArgumentError, PermissionDeniedError, ResourceExhaustedError
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2


@pytest.mark.parametrize(
    ("texts", "options", "priorities"),
    [
        (["a"], {}, {common_pb2.PRIORITY_UNSPECIFIED}),
        (MANY[:32], {}, {common_pb2.PRIORITY_UNSPECIFIED}),
        (MANY, {}, {common_pb2.PRIORITY_BULK}),
        (MANY, {"priority": "interactive"}, {common_pb2.PRIORITY_INTERACTIVE}),
        (["a"], {"priority": "bulk"}, {common_pb2.PRIORITY_BULK}),
    ],
)
def test_embed_sends_a_list_of_several_calls_as_bulk_unless_told(client, server, texts, options, priorities):
    client.embed(texts, **options)
    sent = [request for request in server.faults.requests if isinstance(request, service_pb2.EmbedRequest)]
    assert {request.priority for request in sent} == priorities


def test_embed_asks_nothing_else_for_a_small_list(client, server):
    client.embed([str(number) for number in range(32)])
    assert server.faults.calls == {"Embed": 1}


def test_embed_splits_a_long_list_and_asks_for_the_limits_once(client, server):
    for _ in range(2):
        assert np.array_equal(client.embed(MANY), vectors_of(MANY))
    assert server.faults.calls == {"GetModel": 1, "Embed": 8}


@pytest.mark.parametrize("dtype", ["float32", "int8", "binary"])
def test_embed_splits_without_a_difference(client, dtype):
    texts = MANY[:300]
    one_by_one = np.stack([client.embed(text, dtype=dtype) for text in texts])
    assert np.array_equal(client.embed(texts, dtype=dtype), one_by_one)


def test_embed_splits_by_bytes_of_the_request(client, server):
    client.embed(["x" * 7_000] * 40)
    sizes = [request.ByteSize() for request in server.faults.requests if isinstance(request, service_pb2.EmbedRequest)]
    assert len(sizes) == 20
    assert max(sizes) <= 16 * 1024


def test_embed_splits_by_bytes_of_the_reply(client, server):
    server.faults.limits["max_message_bytes"] = 4096 + 40 * (DIMENSIONS * 4 + 32)
    client.embed(MANY[:100])
    assert server.faults.calls["Embed"] == 3


def test_embed_falls_back_to_smaller_calls_where_the_server_takes_less(client, server):
    server.faults.limits["max_texts"] = 8
    assert np.array_equal(client.embed(MANY[:20]), vectors_of(MANY[:20]))
    assert server.faults.calls == {"Embed": 1 + 3, "GetModel": 1}


def test_embed_raises_the_first_refusal_where_size_was_not_the_reason(client, server):
    server.faults.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "texts[1] has 913 tokens; limit 512")]
    with pytest.raises(InvalidArgumentError, match=r"texts\[1\] has 913 tokens; limit 512$"):
        client.embed(["a", "b"])


def test_embed_keeps_order_where_replies_come_in_reverse(client, server):
    answered = [threading.Event() for _ in range(5)]
    answered[4].set()

    def wait_for_the_next_call(request, context):
        number = MANY.index(request.texts[0]) // 256
        assert answered[number + 1].wait(300)
        answered[number].set()

    server.faults.before_embed = wait_for_the_next_call
    assert np.array_equal(client.embed(MANY), vectors_of(MANY))


def test_embed_has_four_calls_under_way_and_no_more(client, server):
    four, under_way, most = threading.Barrier(4), [0], [0]

    def enter(request, context):
        with server.faults.lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        four.wait(300)  # passes only when four calls are here

    def leave(reply):
        with server.faults.lock:
            under_way[0] -= 1
        return reply

    server.faults.before_embed, server.faults.mutate = enter, leave
    client.embed(MANY * 2)
    assert most[0] == 4


def test_embed_cancels_the_other_calls_after_an_error(client, server):
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
        client.embed(MANY)
    assert cancelled.acquire(timeout=300)
    assert cancelled.acquire(timeout=300)


def _refuse_first_calls(server, times, retry_ms):
    """Refuse so many of the calls that start with text 256, as a full server does."""
    left = [times]

    def refuse(request, context):
        if request.texts[0] == "text 256" and left[0]:
            left[0] -= 1
            context.set_trailing_metadata((("grpc-retry-pushback-ms", str(retry_ms)),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue is full")

    server.faults.before_embed = refuse


def test_embed_sends_a_call_of_a_long_list_again_when_a_full_server_says(client, server):
    _refuse_first_calls(server, 3, 5)
    assert np.array_equal(client.embed(MANY), vectors_of(MANY))
    assert server.faults.calls["Embed"] == 4 + 3


def test_embed_does_not_wait_for_a_full_server_beyond_the_timeout(client, server):
    _refuse_first_calls(server, 9, 3_600_000)
    with pytest.raises(ResourceExhaustedError, match="queue is full"):
        client.embed(MANY, timeout=300)


def test_embed_names_the_text_by_its_index_in_the_whole_list(client, server):
    def refuse(request, context):
        if request.texts[0] == "text 512":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "texts[3] has 913 tokens; limit 512")

    server.faults.before_embed = refuse
    with pytest.raises(InvalidArgumentError, match=rf"^{server.target}: texts\[515\] has 913 tokens; limit 512$"):
        client.embed(MANY)


@contextmanager
def failing_from(server, text):
    """A server that answers in full until it is asked for this text."""

    def fail(request, context):
        if text in request.texts:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no more")

    server.faults.before_embed = fail
    yield
    server.faults.before_embed = None


@pytest.mark.parametrize("dtype", ["float32", "int8", "binary"])
def test_an_error_carries_what_was_finished(server, client, dtype):
    many = [f"text {number}" for number in range(1024)]  # four calls of 256
    whole = client.embed_detailed(many, dtype=dtype)
    with failing_from(server, many[600]), pytest.raises(PermissionDeniedError) as caught:
        client.embed(many, dtype=dtype)
    partial = caught.value.partial
    assert np.array_equal(partial.embeddings, whole.embeddings[:512])
    assert (partial.texts, len(partial.timings)) == (whole.texts[:512], 2)
    assert partial.scales is None or np.array_equal(partial.scales, whole.scales[:512])


def test_an_error_of_the_first_texts_carries_nothing(server, client):
    with failing_from(server, "a"), pytest.raises(PermissionDeniedError) as caught:
        client.embed("a")
    assert caught.value.partial is None
