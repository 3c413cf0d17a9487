"""What goes through an EngineClient, over the one of this process and over one whose messages are bytes on a socket.

`tests/server/test_reload.py` has the reload.
"""

import asyncio
import itertools

import grpc
import numpy as np
import pytest
from tests.server.faulty_engine import FaultyEngines
from tests.server.replies import array, joined, spans_request, stream
from tests.server.running import refused, running
from tests.server.socket_engine import SocketEngines

from polyseme.runtime.tasks import LayerMix, LayerVectors, PooledVector
from polyseme.server.engine.client import Submission, TextTask
from polyseme.v1 import embedding_service_pb2 as pb

TEXTS = ["a bank by the river", "", "one two three"]


def local_engine(server):
    """The LocalEngine that runs what is asked, on whichever side."""
    engine = server.model.engine
    return engine.far.local if hasattr(engine, "far") else engine


@pytest.fixture(params=[FaultyEngines, SocketEngines])
def make_engines(request):
    return request.param


@pytest.fixture
def server(tiny_artifact, make_engines):
    with running(tiny_artifact, make_engines=make_engines, runners=1) as it:
        yield it


@pytest.fixture
def held(server):
    """Every batch waits at a gate."""
    with server.faults.held() as it:
        yield it


def test_texts(server, tiny_artifact):
    request = pb.EmbedRequest(texts=TEXTS)
    got = server.embedding.Embed(request, timeout=300)
    with running(tiny_artifact) as plain:
        want = plain.embedding.Embed(request, timeout=300)
    np.testing.assert_allclose(array(got.embeddings), array(want.embeddings), atol=1e-6)
    assert got.texts == want.texts
    assert got.timings.run_us > 0


def test_words_and_tokens(server):
    reply = server.embedding.EmbedSpans(spans_request(TEXTS[0], "bank", "river"), timeout=300)
    (text,) = reply.texts
    assert [span.text for span in text.spans] == ["bank", "river"]
    assert array(text.vectors).shape == (2, 32)
    request = pb.EmbedTokensRequest(texts=TEXTS, layers={"layers": [0, -1]})
    tokens = server.embedding.EmbedTokens(request, timeout=300)
    assert [array(text.vectors).shape for text in tokens.texts] == [(2, 15, 32), (2, 0, 32), (2, 11, 32)]


def test_streams(server):
    requests = [
        pb.StreamEmbedRequest(embed={"texts": TEXTS}),
        pb.StreamEmbedRequest(spans={"inputs": [{"text": "a b"}]}),
    ]
    first, second = stream(server, *requests)
    assert array(first[0].embed.embeddings).shape == (3, 32)
    ((columns, vectors),) = joined(second)
    assert len(columns.spans) == len(vectors) == 2


def test_a_call_that_is_cancelled_is_not_run(server, held):
    first = server.embedding.Embed.future(pb.EmbedRequest(texts=["a"]), timeout=300)
    held.wait_for_a_batch()
    second = server.embedding.Embed.future(pb.EmbedRequest(texts=["a b"]), timeout=300)
    wait_until(lambda: local_engine(server).queued_texts == 1)
    second.cancel()
    wait_until(lambda: local_engine(server).queued_texts == 0)
    held.gate.set()
    assert first.result().texts
    assert held.runs == [[3]]


@pytest.mark.usefixtures("unforeseen")
def test_a_deadline_that_passes_in_the_queue_is_told_and_the_text_not_run(server, held):
    first = server.embedding.Embed.future(pb.EmbedRequest(texts=["a"]), timeout=300)
    held.wait_for_a_batch()
    late = pb.EmbedRequest(texts=["a b"])
    refused(lambda: server.embedding.Embed(late, timeout=0.3), grpc.StatusCode.DEADLINE_EXCEEDED)
    held.gate.set()
    assert first.result().texts
    assert server.embedding.Embed(pb.EmbedRequest(texts=["a b c"]), timeout=300).texts
    assert held.runs == [[3], [5]]


def test_a_failure_of_the_engine_is_internal(server):
    with server.faults.put(lambda *_: 1 / 0):
        refused(lambda: server.embedding.Embed(pb.EmbedRequest(texts=["a"]), timeout=300), grpc.StatusCode.INTERNAL)


def test_submit_takes_tasks_of_every_kind(server):
    ids = [2, 7, 8, 3]
    spans = LayerVectors(LayerMix(((0.0, 0.0, 0.0, 1.0),)), 32, np.array([1, 2], np.int32), np.ones((1, 2), np.float32))
    submission = Submission(texts=[TextTask(ids, PooledVector()), TextTask(ids, spans)])
    completed = server.on_loop(server.model.engine.submit(submission))
    assert [row.shape for row in completed.rows] == [(32,), (1, 1, 32)]


def wait_until(condition):
    async def wait():
        for _ in itertools.count():
            if condition():
                return
            await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(wait(), 300))
