"""The access log, of a real server."""

import json
import logging
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.server.running import CANARY, running

from polyseme.protocols.kserve import grpc_service_pb2, grpc_service_pb2_grpc
from polyseme.server.observe.access import AccessLog
from polyseme.server.observe.calls import CallReport, Observers
from polyseme.server.observe.log_lines import FIELDS, JsonFormatter
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

REQUEST_ID = (("x-request-id", "abc-1"),)


@pytest.fixture
def lines(caplog):
    """The fields of each line."""

    def read():
        records = [record for record in caplog.records if record.name == "polyseme.server.observe.access"]
        assert all(CANARY not in JsonFormatter().format(record) for record in caplog.records)
        return [getattr(record, FIELDS) for record in records]

    caplog.set_level(logging.WARNING)  # as --log-level warning
    caplog.handler.setLevel(logging.NOTSET)
    return read


def test_each_call_is_a_line_without_its_texts(tiny_artifact, lines):
    with running(tiny_artifact, access_log=True, max_texts=3) as server:
        stub = server.embedding
        stub.Embed(pb.EmbedRequest(texts=[CANARY, "a b"]), timeout=300, metadata=REQUEST_ID)
        spans = [pb.SpanInput(text=f"{CANARY} bank", words=[common_pb2.WordQuery(text="bank")])]
        stub.EmbedSpans(pb.EmbedSpansRequest(inputs=spans), timeout=300)
        stub.Similarity(pb.SimilarityRequest(a=[pb.Operand(text="a")], b=[pb.Operand(text="b")]), timeout=300)
        tokens = len(stub.Tokenize(pb.TokenizeRequest(texts=["a b"]), timeout=300).texts[0].tokens.ids)
        with pytest.raises(grpc.RpcError):
            stub.Embed(pb.EmbedRequest(texts=[CANARY] * 4), timeout=300)
        with pytest.raises(grpc.RpcError):
            stub.Embed(pb.EmbedRequest(texts=["a"], model=common_pb2.ModelRef(name=CANARY)), timeout=300)
    found = lines()
    assert [(each["method"], each["status"], each["model"], each["texts"]) for each in found] == [
        ("Embed", "OK", "tiny", 2),
        ("EmbedSpans", "OK", "tiny", 1),
        ("Similarity", "OK", "tiny", 2),
        ("Tokenize", "OK", "tiny", 1),
        ("Embed", "INVALID_ARGUMENT", "tiny", 0),
        ("Embed", "NOT_FOUND", "", 0),
    ]
    assert found[3]["tokens"] == tokens
    assert all(each["tokens"] >= 3 * each["texts"] for each in found)
    ids = [each["request_id"] for each in found]
    assert (ids[0], len(set(ids))) == ("abc-1", 6)  # its own, and one that was made for each of the others
    assert all(each["caller"].startswith("ipv4:127.0.0.1:") and each["ms"] >= 0 for each in found)


def test_a_stream_is_one_line(tiny_artifact, lines):
    with running(tiny_artifact, access_log=True) as server:
        requests = [pb.StreamEmbedRequest(embed=pb.EmbedRequest(texts=["a", "b"])) for _ in range(3)]
        assert len(list(server.embedding.StreamEmbed(iter(requests), timeout=300))) == 3
    assert [(each["method"], each["status"], each["model"], each["texts"]) for each in lines()] == [
        ("StreamEmbed", "OK", "tiny", 6)
    ]


def test_probes_that_succeed_are_left_out(tiny_artifact, lines):
    with running(tiny_artifact, access_log=True, protocols="kserve") as server:
        kserve = grpc_service_pb2_grpc.GRPCInferenceServiceStub(server.channel)
        kserve.ServerLive(grpc_service_pb2.ServerLiveRequest(), timeout=300)
        kserve.ServerReady(grpc_service_pb2.ServerReadyRequest(), timeout=300)
        stub = health_pb2_grpc.HealthStub(server.channel)
        stub.Check(health_pb2.HealthCheckRequest(), timeout=300)
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=300)
        next(watch)
        watch.cancel()
        counted = server.app._metrics.registry.get_sample_value
        labels = {"method": "grpc.health.v1.Health/Watch", "code": "CANCELLED", "model": ""}
        while not counted("polyseme_calls_total", labels):
            time.sleep(0.001)
        with pytest.raises(grpc.RpcError):
            stub.Check(health_pb2.HealthCheckRequest(service="none"), timeout=300)
    assert [(each["method"], each["status"]) for each in lines()] == [("grpc.health.v1.Health/Check", "NOT_FOUND")]


def test_there_is_none_unless_asked_for(tiny_artifact, lines):
    with running(tiny_artifact) as server:
        server.embedding.Embed(pb.EmbedRequest(texts=["a"]), timeout=300)
    assert lines() == []


def test_a_line_as_text_and_as_json(caplog):
    caplog.set_level(logging.INFO)
    Observers([AccessLog()]).call_done(
        CallReport(method="Embed", code="OK", seconds=0.01234, model="m", texts=2, tokens=9, peer="ipv4:1.2.3.4:5")
    )
    [record] = caplog.records
    assert record.getMessage() == "method=Embed status=OK ms=12.34 texts=2 tokens=9 model=m caller=ipv4:1.2.3.4:5"
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["method"], entry["ms"], entry["tokens"], entry["request_id"]) == ("Embed", 12.34, 9, "")
