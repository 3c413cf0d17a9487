import time
from unittest import mock

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from tests.server.running import CANARY, refused, running

from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2, tensor_pb2

Request = embedding_service_pb2.EmbedRequest
Code = grpc.StatusCode


def embed(server, texts=(CANARY,), timeout=300, **fields):
    return server.embedding.Embed(Request(texts=texts, **fields), timeout=timeout)


@pytest.fixture
def no_tokenizer(server, monkeypatch):
    """The tokenizer must not be reached."""

    def reached(*_):
        raise AssertionError("tokenizer was called")

    monkeypatch.setattr(server.model.encoder.tokenizer, "encode", reached)


@pytest.mark.usefixtures("no_tokenizer")
@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], ("texts is empty", "1 to 64")),
        ([CANARY] * 65, ("65 entries", "limit 64")),
        (["a", "b", CANARY * 1000], ("texts[2]", "11000 bytes", "limit 4096")),
        (["\N{SLIGHTLY SMILING FACE}" * 1025], ("texts[0]", "4100 bytes")),
    ],
)
def test_embed_refuses_before_tokenizing(server, texts, words):
    refused(lambda: embed(server, texts), Code.INVALID_ARGUMENT, *words)


def test_embed_takes_a_text_of_exactly_the_limit(server):
    options = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
    assert embed(server, ["\N{SLIGHTLY SMILING FACE}" * 1024], text_options=options).texts[0].tokens


@pytest.mark.parametrize("factor", [1, 8])
def test_embed_refuses_too_many_tokens(server, factor):
    limit = server.model.spec.max_tokens
    words = limit * factor - 1
    refused(
        lambda: embed(server, ["a", "a " * words]),
        Code.INVALID_ARGUMENT,
        f"texts[1] has {words + 2} tokens; limit {limit} (truncate=none)",
    )


def test_embed_refuses_a_text_without_tokens(server):
    options = common_pb2.TextOptions(add_special_tokens=False)
    refused(lambda: embed(server, ["a", ""], text_options=options), Code.INVALID_ARGUMENT, "texts[1] has 0 tokens")


@pytest.mark.parametrize("dimensions", [0, 10_000])
def test_embed_refuses_dimensions(server, dimensions):
    refused(lambda: embed(server, dimensions=dimensions), Code.INVALID_ARGUMENT, f"got {dimensions}", "limits 1..")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"dtype": 99}, "dtype"),
        ({"priority": 99}, "priority"),
        ({"text_options": common_pb2.TextOptions(truncate=99)}, "truncate"),
        ({"text_options": common_pb2.TextOptions(prompt_name="nope")}, "prompt_name"),
    ],
)
def test_embed_refuses_unknown_choices(server, fields, word):
    refused(lambda: embed(server, **fields), Code.INVALID_ARGUMENT, word)


@pytest.mark.parametrize("fields", [{"name": "nope"}, {"version": "000000000000"}])
def test_unknown_models_are_not_found(server, fields):
    name = server.model.manifest.name
    ref = common_pb2.ModelRef(**fields)
    refused(lambda: embed(server, model=ref), Code.NOT_FOUND, name)
    request = model_service_pb2.GetModelRequest(model=ref)
    refused(lambda: server.models.GetModel(request, timeout=300), Code.NOT_FOUND, name)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\x0a\x05abc",  # shorter than it says
        b"\x0a\x02\xc3\x28",  # not UTF-8
        b"\x0a\x03\xed\xa0\x80",  # a lone surrogate
        b"\x0a\x01\xff",
    ],
)
def test_undecodable_requests_are_invalid(server, data):
    error = refused(lambda: server.raw("EmbeddingService/Embed", data), Code.INVALID_ARGUMENT, "protobuf", "UTF-8")
    assert "DecodeError" not in error.details()


@pytest.mark.parametrize("method", ["Nope", "embed"])
def test_methods_that_are_not_served_are_unimplemented(server, method):
    refused(lambda: server.raw(f"EmbeddingService/{method}", b""), Code.UNIMPLEMENTED)


def test_a_deadline_that_passes_in_the_queue_never_reaches_the_session(tiny_artifact):
    with running(tiny_artifact, runners=1) as server, server.faults.held() as held:
        first = server.embedding.Embed.future(Request(texts=["a"]), timeout=300)
        held.wait_for_a_batch()
        refused(lambda: embed(server, ["a b"], timeout=0.05), Code.DEADLINE_EXCEEDED)
        held.gate.set()
        assert first.code() is Code.OK
        assert embed(server, ["a b c"]).texts
    assert held.runs == [[3], [5]]


def test_a_call_that_would_be_answered_after_its_deadline_is_refused_before_it_is_tokenized(tiny_artifact, monkeypatch):
    with running(tiny_artifact, runners=1) as server, server.faults.held() as held:
        server.model.engine.scheduler._forecast.note_batch(tokens=1, run_s=100.0)
        calls = [server.embedding.Embed.future(Request(texts=["a"]), timeout=300)]
        held.wait_for_a_batch()
        calls.append(server.embedding.Embed.future(Request(texts=["a"])))
        while not server.model.engine.queued_texts:
            time.sleep(0.01)
        calls.append(server.embedding.Embed.future(Request(texts=["a b"])))  # has all the time there is
        while server.model.engine.queued_texts < 2:
            time.sleep(0.01)
        tokenized = mock.Mock(side_effect=AssertionError)
        with monkeypatch.context() as patch:
            patch.setattr(server.model.encoder.tokenizer, "encode", tokenized)
            error = refused(lambda: embed(server), Code.RESOURCE_EXHAUSTED, "7 tokens wait before it", "deadline in")
        trailers = dict(error.trailing_metadata())
        assert int(trailers["grpc-retry-pushback-ms"]) > 0
        held.gate.set()
        assert [call.code() for call in calls] == [Code.OK] * 3
        tokenized.assert_not_called()


def test_the_reply_must_fit_a_message(server):
    operands = [embedding_service_pb2.Operand(text="a")] * 64
    request = embedding_service_pb2.SimilarityRequest(a=operands)
    assert list(server.embedding.Similarity(request, timeout=300).scores.shape) == [64, 64]


def test_a_session_that_fails_tells_an_id_only(server, caplog):
    def fail(*_):
        raise RuntimeError("device on fire")

    with server.faults.put(fail):
        error = refused(lambda: embed(server), Code.INTERNAL, "internal error ")
    request_id = error.details().split()[2].rstrip(":")
    assert "fire" not in error.details()
    assert request_id in caplog.text
    assert "device on fire" in caplog.text
    assert CANARY not in caplog.text
    assert embed(server).texts  # and the next call is served


def test_numbers_that_are_not_finite_never_leave(server):
    def poisoned(run, *batch):
        arrays = run(*batch)
        for array in arrays:
            array[:, 3] = float("nan")
        return arrays

    with server.faults.put(poisoned):
        refused(lambda: embed(server), Code.INTERNAL, "internal error ")
    assert embed(server).texts


def test_what_is_too_large_for_float16_is_clipped_and_no_error(server):
    runs = []

    def large(run, *batch):
        runs.append(batch)
        with np.errstate(over="ignore"):
            return [array * array.dtype.type(1e6) for array in run(*batch)]  # of float16: infinite

    with server.faults.put(large):
        reply = embed(server, normalize=False, dtype=tensor_pb2.DATA_TYPE_FLOAT16)
    values = np.frombuffer(reply.embeddings.data, "<f2")
    assert np.abs(values).max() == 65504
    assert len(runs) == 2


def test_a_poison_text_fails_alone(server):
    def picky(run, graph, batch, *rest):
        if 20 in batch.lengths:
            raise RuntimeError("not this one")
        return run(graph, batch, *rest)

    with server.faults.put(picky):
        lengths = [17, 18, 20, 18, 17] * 4
        futures = [server.embedding.Embed.future(Request(texts=["a " * (n - 2)]), timeout=300) for n in lengths]
        codes = [future.code() for future in futures]
    assert [Code.INTERNAL if n == 20 else Code.OK for n in lengths] == codes


def test_a_full_queue_says_when_to_come_again(tiny_artifact):
    with running(tiny_artifact, max_queue_tokens=1, runners=1) as server, server.faults.held() as held:
        running_call = server.embedding.Embed.future(Request(texts=["a"]), timeout=300)
        held.wait_for_a_batch()
        waiting_call = server.embedding.Embed.future(Request(texts=["a"]), timeout=300)
        while not server.model.engine.queued_texts:
            pass
        error = refused(lambda: embed(server), Code.RESOURCE_EXHAUSTED, "queue has 3 tokens; limit 1")
        held.gate.set()
        assert Code.OK is running_call.code() is waiting_call.code()
    trailers = dict(error.trailing_metadata())
    assert int(trailers["grpc-retry-pushback-ms"]) > 0
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.ToMilliseconds() > 0


@pytest.mark.parametrize(
    ("extra", "code"), [(-1, Code.INVALID_ARGUMENT), (0, Code.INVALID_ARGUMENT), (1, Code.RESOURCE_EXHAUSTED)]
)
def test_messages_over_the_limit(tiny_artifact, extra, code):
    with running(tiny_artifact, max_message_bytes=10_000, max_text_bytes=100) as server:
        request = Request(texts=["a" * 9_000])
        request.texts.append("b" * (10_000 + extra - request.ByteSize() - 3))
        assert 10_000 + extra == request.ByteSize()
        refused(lambda: server.embedding.Embed(request, timeout=300), code, "10000" if extra > 0 else "texts[0]")
