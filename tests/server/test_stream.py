"""StreamEmbed: order, chunks, errors in place, back-pressure, and what a drain leaves."""

import itertools
import threading
import time

import grpc
import numpy as np
import pytest
from tests.server.replies import array, joined, stream
from tests.server.running import CANARY, running

from polyseme.v1 import embedding_service_pb2 as pb

Code = grpc.StatusCode
ALL = {"layers": range(7), "static_embedding": True}


def embed(*texts, **fields):
    return pb.StreamEmbedRequest(embed=pb.EmbedRequest(texts=texts, **fields))


def tokens(*texts, **fields):
    return pb.StreamEmbedRequest(tokens=pb.EmbedTokensRequest(texts=texts, **fields))


def spans(*texts, **fields):
    inputs = [pb.SpanInput(text=text) for text in texts]
    return pb.StreamEmbedRequest(spans=pb.EmbedSpansRequest(inputs=inputs, **fields))


def unary(server, request):
    method = {"embed": "Embed", "tokens": "EmbedTokens", "spans": "EmbedSpans"}[request.WhichOneof("request")]
    return getattr(server.embedding, method)(getattr(request, request.WhichOneof("request")), timeout=300)


def test_replies_are_those_of_the_unary_calls(minilm_server):
    texts = ["We sat on the bank.", "", "naïve café 🙂", "a " * 100]
    requests = [embed(*texts), tokens(*texts, layers=ALL), spans(*texts), embed(texts[0], dtype="DATA_TYPE_FLOAT16")]
    for request, chunks in zip(requests, stream(minilm_server, *requests), strict=True):
        expected = unary(minilm_server, request)
        if request.HasField("embed"):
            (chunk,) = chunks
            got = chunk.embed
            np.testing.assert_allclose(array(got.embeddings), array(expected.embeddings), atol=3e-6)
            assert got.texts == expected.texts
        else:
            for (columns, vectors), text in zip(joined(chunks), expected.texts, strict=True):
                np.testing.assert_allclose(vectors, array(text.vectors), atol=2e-5)
                text.ClearField("vectors")
                assert columns == text


def test_many_requests_are_answered_in_order(server):
    requests = [embed(*["a " * (1 + (i * 7 + n) % 60) for n in range(1 + i % 5)]) for i in range(200)]
    for request, (chunk,) in zip(requests, stream(server, *requests), strict=True):
        assert [info.tokens for info in chunk.embed.texts] == [2 + len(t.split()) for t in request.embed.texts]
        assert chunk.embed.model.name == "tiny"


def test_a_request_that_fails_is_answered_in_its_place(server):
    requests = [
        embed("fine"),
        embed("fine", CANARY * 2000),
        pb.StreamEmbedRequest(),
        embed("fine", model={"name": "nope"}),
        spans("fine", layers={"layers": [77]}),
        embed("fine"),
    ]
    replies = [chunk for (chunk,) in stream(server, *requests)]
    kinds = [reply.WhichOneof("result") for reply in replies]
    assert kinds == ["embed", "error", "error", "error", "error", "embed"]
    codes = [reply.error.code for reply in replies[1:5]]
    assert codes == [Code.INVALID_ARGUMENT.value[0]] * 2 + [Code.NOT_FOUND.value[0], Code.INVALID_ARGUMENT.value[0]]
    assert "texts[1]" in replies[1].error.message
    assert not any(CANARY in reply.error.message for reply in replies)


def test_what_cannot_be_decoded_is_answered_in_its_place(server):
    call = server.channel.stream_stream("/polyseme.v1.EmbeddingService/StreamEmbed")
    data = [embed("fine").SerializeToString(), b"\x0a\x05abc", embed("fine").SerializeToString()]
    replies = [pb.StreamEmbedResponse.FromString(reply) for reply in call(iter(data), timeout=300)]
    assert [reply.WhichOneof("result") for reply in replies] == ["embed", "error", "embed"]
    assert "protobuf" in replies[1].error.message


@pytest.mark.parametrize("limit", [12_000, 60_000, 1 << 20])
@pytest.mark.parametrize("dtype", ["DATA_TYPE_FLOAT32", "DATA_TYPE_FLOAT16"])
def test_chunks_fit_and_give_the_whole(tiny_artifact, limit, dtype):
    """From one token of one layer a chunk to everything in one."""
    texts = ["a b c d e " * n for n in (1, 24, 3, 12, 1)]
    request = tokens(*texts, layers={"layers": [0, 1, 2, -1]}, dtype=dtype)
    with running(tiny_artifact, max_message_bytes=limit, max_text_bytes=4096) as server:
        (chunks,) = stream(server, request)
        sizes = [chunk.ByteSize() for chunk in chunks]
    assert max(sizes) < limit
    assert (len(chunks) > 10, len(chunks) == 1) == (limit == 12_000, limit == 1 << 20)
    with running(tiny_artifact) as server:
        whole = server.embedding.EmbedTokens(request.tokens, timeout=300)
    for (columns, vectors), text in zip(joined(chunks), whole.texts, strict=True):
        np.testing.assert_allclose(vectors.astype(np.float32), array(text.vectors).astype(np.float32), atol=2e-3)
        text.ClearField("vectors")
        assert columns == text


def test_rows_of_embed_are_cut_into_chunks(tiny_artifact):
    texts = [f"{'a ' * (i % 9)}b" for i in range(100)]
    for dtype in ("DATA_TYPE_FLOAT32", "DATA_TYPE_INT8", "DATA_TYPE_BINARY"):
        request = embed(*texts, dtype=dtype)
        with running(tiny_artifact, max_message_bytes=5_000) as server:
            (chunks,) = stream(server, request)
        with running(tiny_artifact) as server:
            expected = unary(server, request)
        assert len(chunks) > 1 or dtype == "DATA_TYPE_BINARY"
        for field in ("data", "scales"):
            parts = [getattr(chunk.embed.embeddings, field) for chunk in chunks]
            assert len(b"".join(parts)) == len(getattr(expected.embeddings, field))
        starts = [0, *np.cumsum([chunk.embed.embeddings.shape[0] for chunk in chunks])]
        assert [chunk.first_text for chunk in chunks] == starts[:-1]
        assert [info for chunk in chunks for info in chunk.embed.texts] == list(expected.texts)


def test_a_slow_reader_stops_his_own_requests(tiny_artifact):
    """Nothing is read: the server takes a window of requests and then no more."""
    big = tokens(*["a b c d " * 30] * 16, layers={"layers": [0, 1, 2] * 12})
    with running(tiny_artifact, max_queue_tokens=1 << 20) as server, server.faults.counted() as runs:
        call = server.embedding.StreamEmbed((big for _ in range(400)), timeout=300)
        previous = 0
        while not runs:
            time.sleep(0.01)
        while len(runs) > previous:
            previous = len(runs)
            time.sleep(0.5)
        assert 0 < previous < 400, "400 requests of 16 texts would be 1,600 runs or more"
        first = next(call)  # and others are served meanwhile
        assert first.sequence == 0
        assert server.embedding.Embed(pb.EmbedRequest(texts=["a"]), timeout=300).texts
        call.cancel()


def test_a_stream_that_is_cancelled_leaves_nothing_behind(tiny_artifact):
    with running(tiny_artifact, runners=1) as server:
        for _ in range(50):
            call = server.embedding.StreamEmbed((embed(*["a b c " * 20] * 64) for _ in range(1000)), timeout=300)
            next(call)
            call.cancel()
        end = time.monotonic() + 300
        while (server.app._admission.calls or server.model.engine.queued_texts) and time.monotonic() < end:
            time.sleep(0.01)
        assert (server.app._admission.calls, server.model.engine.queued_texts) == (0, 0)


def test_a_full_queue_slows_a_stream_down_and_refuses_it_nothing(tiny_artifact):
    with running(tiny_artifact, max_queue_tokens=200, runners=1) as server:
        requests = [embed(*["a b c d e f"] * 16, priority="PRIORITY_BULK") for _ in range(100)]
        replies = [chunk for (chunk,) in stream(server, *requests)]
        assert {reply.WhichOneof("result") for reply in replies} == {"embed"}


def test_bulk_may_fill_the_queue_and_interactive_work_is_let_in_beside_it(tiny_artifact):
    with running(tiny_artifact, max_queue_tokens=100, runners=1) as server, server.faults.held() as held:
        calls = [server.embedding.Embed.future(pb.EmbedRequest(texts=["a"]), timeout=300)]
        held.wait_for_a_batch()
        bulk = pb.EmbedRequest(texts=["a b c d"] * 17, priority="PRIORITY_BULK")  # 102 tokens
        calls.append(server.embedding.Embed.future(bulk, timeout=300))
        while not server.model.engine.queued_texts:
            time.sleep(0.001)
        with pytest.raises(grpc.RpcError) as error:
            server.embedding.Embed(bulk, timeout=300)
        assert error.value.code() is Code.RESOURCE_EXHAUSTED
        assert "limit 100" in error.value.details()
        calls.append(server.embedding.Embed.future(pb.EmbedRequest(texts=["a"]), timeout=300))
        while server.model.engine.queued_texts < 18:
            time.sleep(0.001)
        held.gate.set()
        assert [call.code() for call in calls] == [Code.OK] * 3


def test_a_drain_answers_what_was_read_and_says_that_the_rest_was_not(tiny_artifact):
    with running(tiny_artifact, drain_delay_s=0.1) as server:
        go = threading.Event()

        def requests():
            for number in itertools.count():
                yield embed("a b c")
                if number > 20:
                    time.sleep(0.01)

        call = server.embedding.StreamEmbed(requests(), timeout=300)
        answered = []

        def keep(sequence):
            answered.append(sequence)
            if sequence == 20:
                go.set()

        def read():
            with pytest.raises(grpc.RpcError) as error:
                list(map(keep, (reply.sequence for reply in call)))
            answered.append(error.value.code())

        reader = threading.Thread(target=read)
        reader.start()
        assert go.wait(300)
        server.on_loop(server.app.drain())
        reader.join(300)
    *sequences, code = answered
    assert code is Code.UNAVAILABLE
    assert sequences == list(range(len(sequences)))
    assert len(sequences) > 20


def test_an_idle_stream_does_not_hold_up_a_drain(tiny_artifact):
    with running(tiny_artifact, grace_s=3600) as server:
        release = threading.Event()

        def requests():
            yield embed("a")
            release.wait(300)

        call = server.embedding.StreamEmbed(requests(), timeout=300)
        next(call)
        server.on_loop(server.app.drain())  # which would take an hour
        release.set()
        with pytest.raises(grpc.RpcError) as error:
            next(call)
        assert error.value.code() is Code.UNAVAILABLE


def test_an_empty_stream_ends_well(server):
    assert list(server.embedding.StreamEmbed(iter(()), timeout=300)) == []


def test_the_deadline_of_a_stream_ends_it(tiny_artifact):
    with running(tiny_artifact) as server:
        release = threading.Event()

        def requests():
            yield embed("a")
            release.wait(300)

        call = server.embedding.StreamEmbed(requests(), timeout=0.3)
        with pytest.raises(grpc.RpcError) as error:
            list(call)
        release.set()
        assert error.value.code() is Code.DEADLINE_EXCEEDED
