"""The order of texts through tei.v1: that of polyseme.v1."""

import grpc
import numpy as np
import pytest
from tests.data.golden.make_heads import TEXTS
from tests.server.running import CANARY, refused
from tests.server.wire.tei.conftest import stubs, trailer

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.v1 import prediction_service_pb2 as v1

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def cross(serving_head):
    """A cross-encoder whose own scores are logits."""
    with serving_head("cross-identity") as server:
        yield stubs(server)


def by_v1(tei, query, texts):
    reply = tei.server.prediction.Rerank(v1.RerankRequest(query=query, texts=texts), timeout=300)
    return list(reply.indices), np.frombuffer(reply.scores.data, "<f4")


def told(reply):
    return [one.index for one in reply.ranks], np.array([one.score for one in reply.ranks], dtype="<f4")


def test_texts_are_put_in_the_order_of_v1(cross):
    request = pb.RerankRequest(query=TEXTS[0], texts=TEXTS, raw_scores=True, return_text=True)
    reply = cross.rerank.Rerank(request, timeout=300)
    indices, scores = by_v1(cross, TEXTS[0], TEXTS)
    assert told(reply)[0] == indices
    assert told(reply)[1].tobytes() == scores.tobytes()
    assert [one.text for one in reply.ranks] == [TEXTS[index] for index in indices]
    assert reply.metadata.compute_chars == sum(map(len, TEXTS)) + len(TEXTS) * len(TEXTS[0])


def test_scores_lie_between_0_and_1_unless_the_caller_wants_them_raw(cross):
    reply = cross.rerank.Rerank(pb.RerankRequest(query=TEXTS[0], texts=TEXTS), timeout=300)
    indices, logits = by_v1(cross, TEXTS[0], TEXTS)
    assert told(reply)[0] == indices
    np.testing.assert_allclose(told(reply)[1], 1 / (1 + np.exp(-logits)), atol=1e-6)
    assert not any(one.HasField("text") for one in reply.ranks)


def test_a_stream_of_texts_gets_one_reply(cross):
    requests = (pb.RerankStreamRequest(query=TEXTS[0], text=text, raw_scores=True, return_text=True) for text in TEXTS)
    reply = cross.rerank.RerankStream(requests, timeout=300)
    whole = pb.RerankRequest(query=TEXTS[0], texts=TEXTS, raw_scores=True, return_text=True)
    assert list(reply.ranks) == list(cross.rerank.Rerank(whole, timeout=300).ranks)


def test_a_long_text_is_cut_if_the_caller_says_so_and_the_trailers_tell(cross):
    request = pb.RerankRequest(query="a", texts=["b", "c " * 600], truncate=True)
    reply, call = cross.rerank.Rerank.with_call(request, timeout=300)
    assert (len(reply.ranks), trailer(call, "x-truncated-texts")) == (2, "1")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (pb.RerankRequest(query="a"), "texts is empty"),
        (pb.RerankRequest(texts=["a"]), "query is empty"),
        (pb.RerankRequest(query="a", texts=["a"] * 16), "texts has 16 entries; limit 15"),
        (pb.RerankRequest(query="a", texts=["b", "c " * 600]), "texts[1] has"),
        (pb.RerankRequest(query="a", texts=["b", CANARY * 400]), "texts[1] has 4400 bytes; limit 4096"),
        (pb.RerankRequest(query="a", texts=["b"], truncate=True, truncation_direction=1), "truncation_direction"),
    ],
)
def test_what_cannot_be_served_is_invalid(cross, request_, words):
    refused(lambda: cross.rerank.Rerank(request_, timeout=300), Code.INVALID_ARGUMENT, words)


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([], "no request was sent"),
        ([pb.RerankStreamRequest(query=q, text="b") for q in ("a", "b")], "query differs"),
        ([pb.RerankStreamRequest(query="a", text="b")] * 16, "more than 15 texts; limit 15"),
        ([pb.RerankStreamRequest(query="a", text=t) for t in ("b", "c " * 600)], "text[1] has"),
    ],
)
def test_a_stream_that_cannot_be_served_is_invalid(cross, requests, words):
    refused(lambda: cross.rerank.RerankStream(iter(requests), timeout=300), Code.INVALID_ARGUMENT, words)


def test_a_stream_with_bytes_that_are_no_request_is_invalid(cross):
    stream = cross.server.channel.stream_unary("/tei.v1.Rerank/RerankStream")
    refused(lambda: stream(iter([b"\xff"]), timeout=300), Code.INVALID_ARGUMENT, "not valid protobuf")


def test_a_model_without_such_a_head_says_so(tei):
    request = pb.RerankRequest(query="a", texts=["b"])
    words = "tiny has no head that classifies texts by one label"
    refused(lambda: tei.rerank.Rerank(request, timeout=300), Code.FAILED_PRECONDITION, words)
