"""Vectors through tei.v1: those of polyseme.v1, bit by bit."""

import grpc
import numpy as np
import pytest
from tests.server.running import CANARY, refused, running
from tests.server.wire.tei.conftest import stubs, trailer

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.v1 import embedding_service_pb2 as v1

Code = grpc.StatusCode
TEXTS = ("we sat on the bank.", "", "naïve café 🙂", "a " * 60)
LONG = "a " * 400  # the tiny model takes 128 tokens


def by_v1(server, text, normalize=True, **fields):
    reply = server.embedding.Embed(v1.EmbedRequest(texts=[text], normalize=normalize, **fields), timeout=300)
    return reply.embeddings.data, reply.texts[0]


def tokens_by_v1(server, text, **fields):
    request = v1.EmbedTokensRequest(texts=[text], include_special_tokens=True, **fields)
    (reply,) = server.embedding.EmbedTokens(request, timeout=300).texts
    return np.frombuffer(reply.vectors.data, "<f4").reshape(-1, reply.vectors.shape[-1])


def floats(message):
    return np.array(message.embeddings, dtype="<f4")


@pytest.mark.parametrize("text", TEXTS)
def test_vectors_are_those_of_v1_bit_by_bit(tei, text):
    reply = tei.embed.Embed(pb.EmbedRequest(inputs=text), timeout=300)
    data, info = by_v1(tei.server, text)
    assert floats(reply).tobytes() == data
    assert (reply.metadata.compute_tokens, reply.metadata.compute_chars) == (info.tokens, len(text))
    assert reply.metadata.total_time_ns >= reply.metadata.inference_time_ns > 0


@pytest.mark.parametrize("text", TEXTS)
def test_vectors_of_tokens_are_those_of_v1_bit_by_bit(tei, text):
    reply = tei.embed.EmbedAll(pb.EmbedAllRequest(inputs=text), timeout=300)
    assert b"".join(floats(one).tobytes() for one in reply.token_embeddings) == tokens_by_v1(tei.server, text).tobytes()
    assert reply.metadata.compute_tokens == len(reply.token_embeddings)


def test_vectors_have_length_1_unless_the_caller_says_otherwise(tei):
    raw = floats(tei.embed.Embed(pb.EmbedRequest(inputs=TEXTS[0], normalize=False), timeout=300))
    assert raw.tobytes() == by_v1(tei.server, TEXTS[0], normalize=False)[0]
    assert abs(np.linalg.norm(raw) - 1) > 0.01
    unit = floats(tei.embed.Embed(pb.EmbedRequest(inputs=TEXTS[0]), timeout=300))
    assert abs(np.linalg.norm(unit) - 1) < 1e-6  # 32 products of float32


def test_dimensions_are_cut_as_by_v1(tei):
    cut = floats(tei.embed.Embed(pb.EmbedRequest(inputs=TEXTS[0], dimensions=8), timeout=300))
    assert cut.tobytes() == by_v1(tei.server, TEXTS[0], dimensions=8)[0]
    for wrong in (pb.EmbedRequest(inputs="a", dimensions=0), pb.EmbedRequest(inputs="a", dimensions=33)):
        words = f"dimensions: got {wrong.dimensions}; limits 1..32"
        refused(lambda wrong=wrong: tei.embed.Embed(wrong, timeout=300), Code.INVALID_ARGUMENT, words)


@pytest.mark.parametrize(
    ("direction", "v1_truncate"),
    [(pb.TRUNCATION_DIRECTION_RIGHT, "TRUNCATE_END"), (pb.TRUNCATION_DIRECTION_LEFT, "TRUNCATE_START")],
)
def test_a_long_text_is_cut_where_the_caller_says_and_the_trailers_tell(tei, direction, v1_truncate):
    text = f"b {LONG}c"
    request = pb.EmbedRequest(inputs=text, truncate=True, truncation_direction=direction)
    reply, call = tei.embed.Embed.with_call(request, timeout=300)
    assert floats(reply).tobytes() == by_v1(tei.server, text, text_options={"truncate": v1_truncate})[0]
    assert trailer(call, "x-truncated-texts") == "1"
    assert trailer(tei.embed.Embed.with_call(pb.EmbedRequest(inputs="a"), timeout=300)[1], "x-truncated-texts") is None
    every = pb.EmbedAllRequest(inputs=text, truncate=True, truncation_direction=direction)
    reply, call = tei.embed.EmbedAll.with_call(every, timeout=300)
    assert (len(reply.token_embeddings), trailer(call, "x-truncated-texts")) == (128, "1")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (pb.EmbedRequest(inputs=LONG), "inputs has 402 tokens; limit 128"),
        (pb.EmbedRequest(inputs=CANARY * 400), "inputs has 4400 bytes; limit 4096"),
        (pb.EmbedRequest(inputs="a", prompt_name="nope"), "prompt_name: tiny has no prompt of that name"),
        (pb.EmbedRequest(inputs="a", truncation_direction=7), "truncation_direction: got 7"),
        (pb.EmbedAllRequest(inputs=LONG), "inputs has 402 tokens; limit 128"),
        (pb.EmbedAllRequest(inputs="a", prompt_name="nope"), "prompt_name: tiny has no prompt of that name"),
    ],
)
def test_what_cannot_be_served_is_invalid_and_named_as_the_contract_does(tei, request_, words):
    method = tei.embed.Embed if isinstance(request_, pb.EmbedRequest) else tei.embed.EmbedAll
    error = refused(lambda: method(request_, timeout=300), Code.INVALID_ARGUMENT, words)
    field = words.partition(" ")[0].rstrip(":").encode()
    assert field in trailer(error, "grpc-status-details-bin")


def test_numbers_that_are_not_finite_are_internal(tei):
    def poisoned(run, *batch):
        outputs = run(*batch)
        outputs[0][...] = np.nan
        return outputs

    with tei.server.faults.put(poisoned):
        refused(lambda: tei.embed.Embed(pb.EmbedRequest(inputs=CANARY), timeout=300), Code.INTERNAL, "internal error")
        refused(lambda: tei.embed.EmbedAll(pb.EmbedAllRequest(inputs=CANARY), timeout=300), Code.INTERNAL)


def test_a_full_queue_and_a_late_call_are_refused_as_by_v1(tiny_artifact):
    with running(tiny_artifact, protocols="tei", max_queue_tokens=1, runners=1) as server, server.faults.held() as held:
        embed = stubs(server).embed.Embed
        waiting = [embed.future(pb.EmbedRequest(inputs="a"), timeout=300)]
        held.wait_for_a_batch()
        waiting.append(embed.future(pb.EmbedRequest(inputs="a"), timeout=300))
        while not server.model.engine.queued_texts:
            pass
        error = refused(lambda: embed(pb.EmbedRequest(inputs="a"), timeout=300), Code.RESOURCE_EXHAUSTED, "limit 1")
        assert int(trailer(error, "grpc-retry-pushback-ms")) > 0
        assert b"RetryInfo" in trailer(error, "grpc-status-details-bin")
        held.gate.set()
        assert all(one.result(timeout=300).embeddings for one in waiting)


def test_streams_answer_in_order_with_the_replies_of_the_unary_calls(tei):
    texts = [f"{'a ' * (1 + n * 7 % 60)}b" for n in range(40)]
    replies = list(tei.embed.EmbedStream((pb.EmbedRequest(inputs=text) for text in texts), timeout=300))
    for text, reply in zip(texts, replies, strict=True):
        assert reply.metadata.compute_chars == len(text)
        want = np.frombuffer(by_v1(tei.server, text)[0], "<f4")
        np.testing.assert_allclose(floats(reply), want, atol=3e-6)  # batches of other texts round otherwise
    replies = list(tei.embed.EmbedAllStream((pb.EmbedAllRequest(inputs=text) for text in texts), timeout=300))
    assert [len(reply.token_embeddings) for reply in replies] == [len(tokens_by_v1(tei.server, t)) for t in texts]


def test_a_stream_ends_at_the_request_that_fails_after_the_replies_before_it(tei):
    texts = ["a", "b", LONG, "c"]
    replies = []

    def read():
        replies.extend(tei.embed.EmbedStream((pb.EmbedRequest(inputs=text) for text in texts), timeout=300))

    refused(read, Code.INVALID_ARGUMENT, "inputs has 402 tokens")
    assert len(replies) == 2


def test_a_stream_tells_how_many_of_its_texts_were_cut(tei):
    requests = [pb.EmbedRequest(inputs=text, truncate=True) for text in ("a", LONG, LONG)]
    call = tei.embed.EmbedStream(iter(requests), timeout=300)
    assert len(list(call)) == 3
    assert trailer(call, "x-truncated-texts") == "2"


def test_a_stream_holds_no_memory_when_it_has_ended(tei):
    list(tei.embed.EmbedAllStream((pb.EmbedAllRequest(inputs="a b") for _ in range(30)), timeout=300))

    async def held():
        return tei.server.app._budget.held("work")

    assert tei.server.on_loop(held()) == 0
