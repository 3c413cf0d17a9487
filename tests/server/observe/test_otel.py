"""Traces of a real server, as a real collector in another process gets them."""

import asyncio
import time

import grpc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.server.observe.collector import collector
from tests.server.running import CANARY, running

from polyseme.server.observe.otel import OpenTelemetry
from polyseme.server.observe.tracing import UNTRACED
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

CALLERS = ("00-" + "a1" * 16 + "-" + "b1" * 8 + "-01", "00-" + "a2" * 16 + "-" + "b2" * 8 + "-01")
NOT_SAMPLED = "00-" + "a3" * 16 + "-" + "b3" * 8 + "-00"
EMBED = "polyseme.v1.EmbeddingService/Embed"
STEPS = ("tokenize", "queue", "run", "encode")
# The only attributes that hold more than a number, and all that they may hold.
NAMES = {
    "rpc.system": {"grpc"},
    "rpc.service": {"polyseme.v1.EmbeddingService", "polyseme.v1.ModelService"},
    "rpc.method": {"Embed", "EmbedTokens", "EmbedSpans", "Similarity", "Tokenize", "StreamEmbed", "ListModels"},
    "polyseme.model": {"tiny"},
    "polyseme.request_id": {"mine"},
}
NUMBERS = {"rpc.grpc.status_code", "polyseme.texts", "polyseme.tokens", "polyseme.padded_tokens"}


@pytest.fixture
def collecting(monkeypatch):
    with collector() as it:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", it.endpoint)
        yield it


def embed(server, *texts, caller=CALLERS[0], **metadata):
    metadata = (("traceparent", caller), ("x-request-id", "mine"), *metadata.items())
    return server.embedding.Embed.future(pb.EmbedRequest(texts=texts), metadata=metadata, timeout=300)


def attributes(span):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def ids(span):
    return span.trace_id.hex(), span.span_id.hex()


def counted(server, name, **labels):
    return server.app._metrics.registry.get_sample_value(f"polyseme_spans_{name}_total", labels) or 0


def test_a_call_is_below_its_callers_span_and_its_steps_below_the_call(collecting, tiny_artifact):
    with running(tiny_artifact) as server:
        assert embed(server, "a cat", "a dog").result()
    spans = collecting.by_name(6)
    assert sorted(spans) == sorted([EMBED, "batch", *STEPS])
    (call,) = spans[EMBED]
    assert call.kind == call.SPAN_KIND_SERVER
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == ("a1" * 16, "b1" * 8)
    assert attributes(call) == {
        "rpc.system": "grpc",
        "rpc.service": "polyseme.v1.EmbeddingService",
        "rpc.method": "Embed",
        "rpc.grpc.status_code": 0,
        "polyseme.request_id": "mine",
    }
    steps = [spans[name][0] for name in STEPS]
    assert {(step.trace_id, step.parent_span_id) for step in steps} == {(call.trace_id, call.span_id)}
    times = [call.start_time_unix_nano]
    for step in steps:
        times += [step.start_time_unix_nano, step.end_time_unix_nano]
    times.append(call.end_time_unix_nano)
    assert times == sorted(times)


def test_a_batch_is_linked_to_the_calls_that_share_it(collecting, tiny_artifact):
    with running(tiny_artifact, runners=1) as server:
        with server.faults.held() as held:
            alone = embed(server, "a b c d e f g h", caller=NOT_SAMPLED)
            held.wait_for_a_batch()
            together = [embed(server, "a cat", "a dog", caller=caller) for caller in CALLERS]
            while server.model.engine.queued_texts < 4:
                time.sleep(0.001)
            held.gate.set()
            for call in (alone, *together):
                assert call.result()
        version = server.model.version
    spans = collecting.by_name(11)
    (batch,) = spans["batch"]  # that of the call that is not sampled is not recorded
    assert sorted((link.trace_id.hex(), link.span_id.hex()) for link in batch.links) == sorted(map(ids, spans[EMBED]))
    assert not batch.parent_span_id
    assert attributes(batch) == {
        "polyseme.model": "tiny",
        "polyseme.version": version,
        "polyseme.texts": 4,
        "polyseme.tokens": 24,
        "polyseme.padded_tokens": 24,
    }
    for run in spans["run"]:  # the same moment, by clocks that were read at two times
        assert abs(run.start_time_unix_nano - batch.start_time_unix_nano) < 60e9


def test_what_the_caller_does_not_sample_leaves_no_span(collecting, tiny_artifact):
    with running(tiny_artifact) as server:
        assert embed(server, "a cat", caller=NOT_SAMPLED).result()
        assert server.embedding.Embed(pb.EmbedRequest(texts=["a"]), timeout=300)  # the default samples this one
    collecting.by_name(6)
    assert "a3" * 16 not in {ids(span)[0] for span in collecting.spans}
    assert len(collecting.spans) == 6


def test_each_request_of_a_stream_has_a_span(collecting, tiny_artifact):
    requests = [
        pb.StreamEmbedRequest(embed=pb.EmbedRequest(texts=["a cat"])),
        pb.StreamEmbedRequest(tokens=pb.EmbedTokensRequest(texts=["a cat"])),
        pb.StreamEmbedRequest(embed=pb.EmbedRequest(texts=[])),
    ]
    with running(tiny_artifact) as server:
        replies = list(server.embedding.StreamEmbed(iter(requests), metadata=(("traceparent", CALLERS[0]),)))
    assert len(replies) == 3
    spans = collecting.by_name(14)
    (stream,) = spans["polyseme.v1.EmbeddingService/StreamEmbed"]
    assert {one.parent_span_id for one in spans["request"]} == {stream.span_id}
    assert sorted(attributes(one)["rpc.grpc.status_code"] for one in spans["request"]) == [0, 0, 3]
    links = {link.span_id for batch in spans["batch"] for link in batch.links}
    answered = {one.span_id for one in spans["request"] if attributes(one)["rpc.grpc.status_code"] == 0}
    assert links == answered
    assert {one.parent_span_id for one in spans["run"]} == answered


def test_a_call_that_failed_says_so_and_a_stranger_leaves_no_trace(collecting, tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text("secret\n")
    bearer = {"authorization": "Bearer secret"}

    def fail(*_):
        raise RuntimeError("device on fire")

    with running(tiny_artifact, token_file=str(tmp_path / "tokens")) as server:
        assert embed(server, "a cat").code() is grpc.StatusCode.UNAUTHENTICATED
        assert embed(server, **bearer).code() is grpc.StatusCode.INVALID_ARGUMENT
        with server.faults.put(fail):
            assert embed(server, "a cat", **bearer).code() is grpc.StatusCode.INTERNAL
    spans = collecting.by_name(4)[EMBED]
    found = {attributes(span)["rpc.grpc.status_code"]: span.status.code for span in spans}
    assert found == {3: spans[0].status.STATUS_CODE_UNSET, 13: spans[0].status.STATUS_CODE_ERROR}


def test_no_span_holds_any_part_of_a_text(collecting, tiny_artifact):
    texts, metadata = [f"{CANARY} bank", CANARY], (("x-request-id", "mine"),)
    operands = [pb.Operand(text=CANARY, word=common_pb2.WordQuery(text=CANARY))]
    spans = [pb.SpanInput(text=CANARY, words=[common_pb2.WordQuery(text=CANARY)])]

    def fail(*_):
        raise RuntimeError(CANARY)

    with running(tiny_artifact) as server:
        service = server.embedding
        service.Embed(pb.EmbedRequest(texts=texts), metadata=metadata)
        service.EmbedTokens(pb.EmbedTokensRequest(texts=texts), metadata=metadata)
        service.EmbedSpans(pb.EmbedSpansRequest(inputs=spans), metadata=metadata)
        service.Similarity(pb.SimilarityRequest(a=operands, b=operands), metadata=metadata)
        service.Tokenize(pb.TokenizeRequest(texts=texts), metadata=metadata)
        request = pb.StreamEmbedRequest(embed=pb.EmbedRequest(texts=texts))
        assert list(service.StreamEmbed(iter([request]), metadata=metadata))
        unknown_prompt = pb.EmbedRequest(texts=texts, text_options=common_pb2.TextOptions(prompt_name=CANARY))
        unknown_model = pb.EmbedRequest(texts=texts, model=common_pb2.ModelRef(name=CANARY))
        codes = [service.Embed.future(one, metadata=metadata).code() for one in (unknown_prompt, unknown_model)]
        assert codes == [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND]
        with server.faults.put(fail):
            failed = service.Embed.future(pb.EmbedRequest(texts=texts), metadata=metadata)
            assert failed.code() is grpc.StatusCode.INTERNAL
    by_name = collecting.by_name(30)
    methods = {name.rpartition("/")[2] for name in by_name if "/" in name}
    assert methods == NAMES["rpc.method"] - {"ListModels"}
    assert CANARY.encode() not in b"".join(collecting.exports)
    assert set(by_name) <= {
        *(f"polyseme.v1.EmbeddingService/{method}" for method in methods),
        "batch",
        "request",
        *STEPS,
    }
    for span in collecting.spans:
        assert not span.events
        assert not span.status.message
        for key, value in attributes(span).items():
            if key == "polyseme.version":
                assert value == server.model.version
            elif key in NAMES:
                assert value in NAMES[key]
            else:
                assert key in NUMBERS
                assert isinstance(value, int)


def test_no_call_waits_for_a_collector_that_never_answers(monkeypatch, tiny_artifact, caplog):
    """Calls are answered while an export hangs; what finds no room is dropped and counted, and closing goes on."""
    calls, spans_each, room = 40, 6, 16
    with collector("never") as hanging:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", hanging.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100000")
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(room))
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
        with running(tiny_artifact) as server:
            assert embed(server, "a cat").result()
            hanging.wait_for_an_export()
            for _ in range(calls - 1):
                assert embed(server, "a cat").result()
            assert counted(server, "exported") == 0
            assert counted(server, "dropped", reason="queue_full") == calls * spans_each - room
    assert (
        f"{room} spans were not sent: the collector took too long" in caplog.text
        or counted(server, "dropped", reason="export_failed") == room
    )  # the export that hung was broken off in time, and the rest tried in vain


def test_spans_that_no_collector_takes_are_counted(monkeypatch, tiny_artifact):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")  # where nobody listens
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with running(tiny_artifact) as server:
        assert embed(server, "a cat").result()
    assert (counted(server, "exported"), counted(server, "dropped", reason="export_failed")) == (0, 6)


def test_spans_that_arrive_are_counted(collecting, tiny_artifact):
    with running(tiny_artifact) as server:
        for _ in range(10):
            assert embed(server, "a cat").result()
    assert counted(server, "exported") == len(collecting.by_name(60)[EMBED]) * 6 == 60
    assert counted(server, "dropped", reason="queue_full") == 0


def test_the_service_is_called_as_the_environment_says(monkeypatch, collecting, tiny_artifact):
    names = []
    for name in ("", "embeddings"):
        monkeypatch.setenv("OTEL_SERVICE_NAME", name)
        with running(tiny_artifact) as server:
            assert embed(server, "a cat").result()
        collecting.by_name(6 * (len(names) + 1))
        resource = collecting.requests[-1].resource_spans[0].resource
        names.append(next(one.value.string_value for one in resource.attributes if one.key == "service.name"))
    assert names == ["polyseme", "embeddings"]


class Nobody:
    def spans_exported(self, count):
        raise AssertionError

    spans_dropped = spans_exported


@pytest.fixture(scope="module")
def tracing():
    """Tracing that has no sampler's consent, and so sends nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        it = OpenTelemetry(Nobody())
    yield it
    asyncio.run(it.close())


@given(key=st.sampled_from(["traceparent", "tracestate", "baggage"]), value=st.text() | st.binary())
@example(key="traceparent", value="00-" + "0" * 32 + "-" + "0" * 16 + "-01")
@example(key="baggage", value="a=b," * 10_000)
def test_no_metadata_breaks_a_call(tracing, key, value):
    assert tracing.call("/a.B/C", ((key, value),), 0.0) is UNTRACED
