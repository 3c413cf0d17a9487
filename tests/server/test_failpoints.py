"""A server in a process of its own meets each fault as one of this process does."""

import time

import grpc
import pytest
from tests.server.failpoints import TEXT, VARIABLE, Failpoints, failing_server

from polyseme.v1 import embedding_service_pb2 as pb

EMBED = "/polyseme.v1.EmbeddingService/Embed"
REQUEST = pb.EmbedRequest(texts=["a cat"]).SerializeToString()
CODE = grpc.StatusCode


def embed(channel):
    return channel.unary_unary(EMBED).future(REQUEST, timeout=300)


def test_each_fault_ends_its_own_call_and_nothing_else(tiny_artifact, tmp_path):
    once = "1*off->1*raise"
    terms = f"tokenize={once};batch={once};run={once}->1*nan->1*oom->1*raise(ValueError);encode={once}"
    log = tmp_path / "log"
    with failing_server(tiny_artifact, terms, log) as (process, target), grpc.insecure_channel(target) as channel:
        codes = [embed(channel).code() for _ in range(9)]
        assert process.poll() is None
    assert codes == [CODE.OK, *[CODE.INTERNAL] * 7, CODE.OK]
    said = log.read_text()
    hit = [line.removeprefix("failpoint ") for line in said.splitlines() if line.startswith("failpoint ")]
    kinds = ["RuntimeError"] * 2 + ["nan", "oom", "ValueError", "RuntimeError"]
    assert [line.split()[0] for line in hit] == ["tokenize:", "batch:", *["run:"] * 4, "encode:"]
    assert [line.split()[-1] for line in hit] == ["RuntimeError", *kinds]
    assert "MemoryError" in said
    assert "the model's output is not finite" in said
    assert TEXT not in said


def test_a_stream_meets_them_too(tiny_artifact, tmp_path):
    terms = "run=1*raise;encode=1*off->1*raise"
    with (
        failing_server(tiny_artifact, terms, tmp_path / "log") as (_, target),
        grpc.insecure_channel(target) as channel,
    ):
        stub = channel.stream_stream("/polyseme.v1.EmbeddingService/StreamEmbed")
        request = pb.StreamEmbedRequest(embed=pb.EmbedRequest(texts=["a cat"])).SerializeToString()
        (reply,) = stub(iter([request]), timeout=300)
        assert pb.StreamEmbedResponse.FromString(reply).error.code == CODE.INTERNAL.value[0]
        assert stub(iter([request]), timeout=300).code() is CODE.INTERNAL


@pytest.mark.parametrize("point", ["tokenize", "batch", "run", "encode", "thread"])
def test_a_process_can_end_at_each_point(tiny_artifact, tmp_path, point):
    terms = f"{point}=exit(7)"
    with (
        failing_server(tiny_artifact, terms, tmp_path / "log") as (process, target),
        grpc.insecure_channel(target) as one,
    ):
        assert embed(one).code() is CODE.UNAVAILABLE
        assert process.wait(timeout=300) == 7


def test_a_point_can_take_its_time(tiny_artifact, tmp_path):
    terms = "run=1*sleep(0.3)"
    with (
        failing_server(tiny_artifact, terms, tmp_path / "log") as (_, target),
        grpc.insecure_channel(target) as channel,
    ):
        began = time.monotonic()
        reply = pb.EmbedResponse.FromString(embed(channel).result())
    assert time.monotonic() - began >= 0.3
    assert reply.timings.run_us >= 300_000


@pytest.mark.parametrize(
    "terms", ["walk=raise", "run", "run=jump", "run=2*", "run=raise->", "tokenize=nan", "run=raise()"]
)
def test_what_is_not_written_so_is_refused(terms):
    with pytest.raises(SystemExit, match=VARIABLE):
        Failpoints(terms)
