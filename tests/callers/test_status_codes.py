"""docs/status-codes.md says what the server says."""

import re

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from tests.callers.page import PAGE, SECTIONS, busy, documented, embed, examples, retry_delays, shape
from tests.server.running import running

from polyseme.server.lifecycle.admission import Admission
from polyseme.server.security.tokens import Tokens
from polyseme.v1 import common_pb2, embedding_service_pb2
from polyseme.v1.embedding_service_pb2 import EmbedRequest, EmbedSpansRequest, EmbedTokensRequest, StreamEmbedRequest
from polyseme.v1.prediction_service_pb2 import TagTokensRequest

NOPE = common_pb2.ModelRef(name="nope")
TOO_MUCH = EmbedTokensRequest(texts=["a " * 250] * 60, layers=common_pb2.LayerSelection(layers=range(7)))


def part(text, **query):
    return embedding_service_pb2.SpanInput(text=text, **query)


CALLS = {
    "empty": ("Embed", EmbedRequest()),
    "long": ("Embed", EmbedRequest(texts=["a", "b " * 900])),
    "dimensions": ("Embed", EmbedRequest(texts=["a"], dimensions=1000)),
    "word": ("EmbedSpans", EmbedSpansRequest(inputs=[part("a cat", words=[common_pb2.WordQuery(text="dog")])])),
    "inside": (
        "EmbedSpans",
        EmbedSpansRequest(
            inputs=[part("\N{GRINNING FACE} cat", spans=[common_pb2.Span(start=1, end=4)])],
            offset_unit=common_pb2.OFFSET_UNIT_UTF16_CODE_UNIT,
        ),
    ),
    "beyond": (
        "EmbedSpans",
        EmbedSpansRequest(
            inputs=[part("cat", spans=[common_pb2.Span(start=1, end=40)])],
            offset_unit=common_pb2.OFFSET_UNIT_UTF8_BYTE,
        ),
    ),
    "reply": ("EmbedTokens", TOO_MUCH),
    "name": ("Embed", EmbedRequest(texts=["a"], model=NOPE)),
    "version": ("Embed", EmbedRequest(texts=["a"], model=common_pb2.ModelRef(version="0" * 12))),
    "request size": ("Embed", EmbedRequest(texts=["a" * (17 << 20)])),
}

FIELDS = {
    "empty": "texts",
    "long": "texts[1]",
    "dimensions": "dimensions",
    "word": "inputs[0].words[0]",
    "inside": "inputs[0].spans[0]",
    "beyond": "inputs[0].spans[0]",
}


@pytest.mark.parametrize("case", CALLS)
def test_refusals(server, case):
    method, request = CALLS[case]
    error = documented(lambda: getattr(server.embedding, method)(request, timeout=300))
    assert field_of(error) == FIELDS.get(case)


def test_a_model_without_a_head(server):
    documented(lambda: server.prediction.TagTokens(TagTokensRequest(texts=["a"]), timeout=300))


def field_of(error):
    """The field that google.rpc.BadRequest names; None without such details, and then without any."""
    trailers = dict(error.trailing_metadata() or ())
    details = trailers.get("grpc-status-details-bin")
    if details is None:
        assert set(trailers) <= {"x-request-id"}
        return None
    status, bad = status_pb2.Status.FromString(details), error_details_pb2.BadRequest()
    assert (status.code, status.message) == (error.code().value[0], error.details())
    (detail,) = status.details
    assert detail.Unpack(bad)
    (violation,) = bad.field_violations
    assert violation.description == error.details()
    return violation.field


@pytest.mark.parametrize(("method", "data"), [("Embed", b"\x0a\x03\xed\xa0\x80"), ("Nope", b"")])
def test_refusals_of_bytes(server, method, data):
    documented(lambda: server.raw(f"EmbeddingService/{method}", data))


def test_replies_over_the_limit_of_the_client(server):
    request = EmbedTokensRequest(texts=["a " * 250] * 17)
    with grpc.insecure_channel(server.target) as channel:
        call = channel.unary_unary("/polyseme.v1.EmbeddingService/EmbedTokens", EmbedTokensRequest.SerializeToString)
        assert not documented(lambda: call(request, timeout=300)).trailing_metadata()


def test_a_full_server(minilm_artifact):
    texts = ["a " * 200] * 3  # the first one runs, the others wait
    policy = {"runners": 1, "max_batch_texts": 1, "max_queue_tokens": 300}
    with running(minilm_artifact, **policy) as server, busy(server, texts):
        inside, outside = retry_delays(documented(lambda: embed(server)))
    assert 0 < inside <= outside <= inside + 1


def test_too_many_calls(minilm_artifact):
    with running(minilm_artifact, max_concurrent_calls=1) as server, busy(server):
        error = documented(lambda: embed(server))
        assert retry_delays(error) == (1000, 1000)


def test_a_deadline(minilm_artifact):
    with running(minilm_artifact, runners=1) as server, busy(server):
        documented(lambda: embed(server, timeout=0.05))


def test_a_cancelled_call(minilm_artifact):
    with running(minilm_artifact, runners=1) as server, busy(server) as first:
        first.cancel()
        assert first.code() is grpc.StatusCode.CANCELLED
        assert shape(first.details()) in examples("CANCELLED")


def test_a_fault(server):
    with server.faults.put(lambda *_: 1 / 0):
        documented(lambda: embed(server))


def test_starting_draining_and_gone(minilm_artifact):
    with running(minilm_artifact) as server:
        gate = server.app._admission
        for reason in (Admission(1, Tokens("")).closed_because, "draining: the server is about to stop"):
            gate.closed_because = reason
            documented(lambda: embed(server))
        target = server.target
    with grpc.insecure_channel(target) as channel:
        documented(lambda: channel.unary_unary("/polyseme.v1.EmbeddingService/Embed")(b"", timeout=300))


def test_tokens(minilm_artifact, tmp_path):
    (tmp_path / "tokens").write_text("alpha")
    with running(minilm_artifact, token_file=str(tmp_path / "tokens")) as server:
        documented(lambda: embed(server))
        call = server.embedding.Embed
        documented(lambda: call(EmbedRequest(texts=["a"]), metadata=[("authorization", "Bearer beta")], timeout=300))


def test_errors_in_place(server):
    requests = [
        StreamEmbedRequest(embed=EmbedRequest(texts=["a"])),
        StreamEmbedRequest(embed=EmbedRequest()),
        StreamEmbedRequest(),
        StreamEmbedRequest(embed=EmbedRequest(texts=["a"], model=NOPE)),
    ]
    replies = list(server.embedding.StreamEmbed(iter(requests), timeout=300))
    assert [(reply.sequence, reply.last_chunk, reply.WhichOneof("result")) for reply in replies] == [
        (0, True, "embed"),
        (1, True, "error"),
        (2, True, "error"),
        (3, True, "error"),
    ]
    assert [reply.error.code for reply in replies[1:]] == [3, 3, 5]
    assert {shape(reply.error.message) for reply in replies[1:]} == examples("StreamEmbed")


def test_sections_are_statuses():
    statuses = {code.name for code in grpc.StatusCode}
    assert set(SECTIONS) - statuses == {"StreamEmbed"}
    for name in set(SECTIONS) & statuses:
        number = grpc.StatusCode[name].value[0]
        assert re.search(rf"^\| \[{name}\]\(#{name.lower()}\).* \| {number} \|", PAGE, re.MULTILINE)
