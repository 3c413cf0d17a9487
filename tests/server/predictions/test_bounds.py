"""Predictions that fail, come too late, or would hold too much memory."""

import time
from weakref import WeakSet

import grpc
import numpy as np
import pytest
from tests.data.golden.make_heads import LONG, TEXTS
from tests.server.predictions.calls import answer, array, classify, rerank, tag
from tests.server.running import CANARY, refused

from polyseme.runtime.heads import LoadedHead
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.predictions import running
from polyseme.server.inference.validation import Limits
from polyseme.server.memory.budget import Share
from polyseme.v1 import prediction_service_pb2 as pb

Code = grpc.StatusCode
WINDOWS = pb.LONG_TEXTS_WINDOWS
CALLS = {
    "Classify": lambda s, **options: classify(s, "bert-classification", TEXTS, **options),
    "TagTokens": lambda s, **options: tag(s, TEXTS, **options),
    "Answer": lambda s, **options: answer(s, [("who?", CANARY)] * 4, **options),
    "Rerank": lambda s, **options: rerank(s, CANARY, TEXTS, **options),
}


def poisoned(run, *batch):
    return [np.full_like(output, np.nan) for output in run(*batch)]


@pytest.mark.parametrize("fault", [lambda *_: 1 / 0, poisoned], ids=["raises", "not finite"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_batch_that_fails_ends_its_call_alone(server, call, fault):
    with server.faults.put(fault):
        refused(lambda: call(server), Code.INTERNAL, "internal error")
    assert call(server).head


@pytest.mark.usefixtures("unforeseen")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_ends_at_its_deadline(server, call):
    with server.faults.held():
        refused(lambda: call(server, timeout=0.2), Code.DEADLINE_EXCEEDED)
    assert call(server).head


def test_logits_that_are_not_finite_end_a_call(server, monkeypatch):
    (model,) = (one for one in server.app.registry.models if one.manifest.name == "bert-regression")
    weights = model.heads["classification"].weights
    monkeypatch.setitem(weights, "output.weight", weights["output.weight"] * np.float32(np.inf))
    refused(lambda: classify(server, "bert-regression", TEXTS), Code.INTERNAL, "internal error")


def test_token_vectors_are_held_some_at_a_time(server, monkeypatch):
    whole = tag(server, TEXTS)
    monkeypatch.setattr(running, "_MOST_ELEMENTS", 1)
    monkeypatch.setattr(running, "_MOST_CHARACTERS", 30)
    with server.faults.counted() as runs:
        apart = tag(server, TEXTS)
    assert len(runs) == len(TEXTS)
    assert [text.entities for text in apart.texts] == [text.entities for text in whole.texts]
    monkeypatch.setattr(running, "_MOST_WINDOWS", 3)
    refused(lambda: tag(server, TEXTS), Code.INVALID_ARGUMENT, "the texts have more than 3 windows")


@pytest.mark.parametrize(
    "call",
    [
        lambda s: tag(s, [LONG, *TEXTS], name="bert-token_classification-64", long_texts=WINDOWS, overlap=61).texts,
        lambda s: (
            answer(s, [("who?", LONG)], name="bert-question_answering-64", long_texts=WINDOWS, overlap=50).questions
        ),
    ],
    ids=["TagTokens", "Answer"],
)
def test_vectors_of_one_text_in_windows_are_held_some_at_a_time(server, monkeypatch, call):
    whole, sizes = call(server), []
    original = LoadedHead.logits

    def counted(head, vectors):
        sizes.append(vectors.size)
        return original(head, vectors)

    monkeypatch.setattr(LoadedHead, "logits", counted)
    monkeypatch.setattr(running, "_MOST_ELEMENTS", 2 * 64 * 16)  # two windows
    apart = call(server)
    assert max(sizes) <= 2 * 64 * 16
    assert [one.info for one in apart] == [one.info for one in whole]
    for one, other in zip(apart, whole, strict=True):
        np.testing.assert_allclose(array(one.scores), array(other.scores), atol=1e-5)


SPANS = {
    "TagTokens": lambda s: tag(s, ["\U0001f642 caf\u00e9 " * 25] * 8, aggregation=pb.AGGREGATION_NONE),
    "Answer": lambda s: answer(s, [("who?", "caf\u00e9 " * 30)] * 8, top_k=64, max_answer_tokens=512),
}


@pytest.mark.parametrize("call", SPANS.values(), ids=SPANS)
def test_a_reply_of_spans_is_counted_and_limited(server, monkeypatch, call):
    taken = []
    monkeypatch.setattr(Execution, "reserve", lambda _, size: taken.append(size))
    size = call(server).ByteSize()
    assert size * 0.9 < sum(taken) < size * 3
    monkeypatch.setattr(Limits, "max_reply_bytes", property(lambda _: size // 2))
    refused(lambda: call(server), Code.INVALID_ARGUMENT, "the reply would have", f"limit {size // 2}")


def test_places_of_windows_are_counted(server, monkeypatch):
    taken = []
    monkeypatch.setattr(Share, "take", lambda _, size: taken.append(size))
    reply = tag(server, [LONG], name="bert-token_classification-64", long_texts=WINDOWS, overlap=60)
    (one,) = reply.texts
    assert one.info.windows > 10
    assert 4 * one.info.tokens in taken


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_tokens_are_held_some_at_a_time(server, monkeypatch, call):
    """A query is tokenized with each text: tokens held to the end would be a thousand times the query's."""
    held, most = WeakSet(), []
    monkeypatch.setattr(running, "_MOST_CHARACTERS", 1)
    monkeypatch.setattr(running, "Prepared", held_in(held, most))
    assert call(server).head
    assert max(most) <= 2


def held_in(held, most):
    class Held(running.Prepared):
        __slots__ = ("__weakref__",)

        def __init__(self, **fields):
            super().__init__(**fields)
            held.add(self)
            end = time.monotonic() + 300
            while len(held) > 2 and time.monotonic() < end:  # the thread that made one may let go of it later
                time.sleep(0.001)
            most.append(len(held))

        __hash__ = object.__hash__

    return Held
