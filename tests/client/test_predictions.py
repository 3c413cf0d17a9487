"""classify, entities, answer and rerank of the SDK, against a server that runs."""

import asyncio

import grpc
import numpy as np
import pytest
from tests.data.golden.make_heads import LONG, PAIRS, TEXTS
from tests.server.predictions.calls import array, serving_heads, tag

from polyseme.client import (
    AsyncClient,
    Client,
    FailedPreconditionError,
    InvalidArgumentError,
    ModelChangedError,
    NotFoundError,
)


@pytest.fixture(scope="module")
def server(head_artifacts, tiny_artifact):
    with serving_heads(head_artifacts, tiny_artifact) as it:
        yield it


@pytest.fixture(scope="module")
def client(server):
    with Client(server.target, timeout=300) as opened:
        yield opened


def test_texts_and_pairs_are_classified(client):
    model = "bert-classification"
    some, one = client.classify(TEXTS, model=model), client.classify(TEXTS[0], model=model)
    assert len(some) == len(TEXTS)
    np.testing.assert_allclose(some[0].scores, one.scores, atol=1e-5)
    assert one.labels == ("negative", "neutral", "positive")
    assert (one.label, one.score) == (one.labels[one.scores.argmax()], one.scores.max())
    pairs = client.classify(PAIRS, model=model)
    np.testing.assert_allclose(client.classify(PAIRS[1], model=model).scores, pairs[1].scores, atol=1e-5)
    assert client.classify([], model=model) == []


def test_long_lists_are_split_and_keep_their_order(client):
    texts = [f"{number} bank" for number in range(150)]  # 64 texts a call, 32 pairs
    whole = client.classify(texts, model="bert-regression")
    alone = [client.classify(texts[place], model="bert-regression").score for place in (0, 63, 64, 149)]
    np.testing.assert_allclose([whole[place].score for place in (0, 63, 64, 149)], alone, atol=1e-4)
    assert len(client.classify([(text, "a") for text in texts], model="bert-regression")) == 150
    assert len(client.answer(["who?"] * 40, ["it was ann"] * 40, model="bert-question_answering")) == 40


def test_entities_have_their_labels_and_lie_in_their_text(client, server):
    (found,) = client.entities([TEXTS[1]], model="bert-token_classification")
    (want,) = tag(server, [TEXTS[1]]).texts
    assert [(one.start, one.end, one.text) for one in found.entities] == [
        (one.span.start, one.span.end, one.text) for one in want.entities
    ]
    assert {one.group for one in found.entities} <= {"PER", "LOC"}
    assert all(one.label[2:] == one.group for one in found.entities)
    assert all(TEXTS[1][one.start : one.end] == one.text for one in found.entities)
    np.testing.assert_allclose([one.score for one in found.entities], array(want.scores))
    alone = client.entities(TEXTS[1], model="bert-token_classification", aggregation="none", offset_unit="utf8_byte")
    assert len(alone.entities) >= len(found.entities)
    assert alone.info.windows == 1


def test_answers_and_an_order(client):
    model = "bert-question_answering"
    one = client.answer("where?", TEXTS[1], model=model, top_k=3)
    assert one.best == one.answers[0]
    assert len(one.answers) == 3
    assert all(TEXTS[1][answer.start : answer.end] == answer.text for answer in one.answers)
    assert client.answer("where?", "", model=model).best is None
    spread = client.answer("where?", LONG, model=model, long_texts="windows", overlap=16)
    assert spread.info.windows > 1
    ranked = client.rerank(TEXTS[0], TEXTS, model="cross-identity", top_k=2)
    assert [one.text for one in ranked] == [TEXTS[one.index] for one in ranked]
    assert ranked[0].score >= ranked[1].score


def test_the_async_client_says_the_same(client, server):
    async def ask():
        async with AsyncClient(server.target, timeout=300) as c:
            return (
                await c.classify(TEXTS[0], model="bert-classification"),
                await c.entities(TEXTS, model="bert-token_classification"),
                await c.answer("who?", TEXTS[1], model="bert-question_answering"),
                await c.rerank(TEXTS[0], TEXTS, model="cross-identity"),
            )

    classified, tagged, answered, ranked = asyncio.run(ask())
    np.testing.assert_array_equal(classified.scores, client.classify(TEXTS[0], model="bert-classification").scores)
    assert tagged == client.entities(TEXTS, model="bert-token_classification")
    assert answered == client.answer("who?", TEXTS[1], model="bert-question_answering")
    assert [one.index for one in ranked] == [
        one.index for one in client.rerank(TEXTS[0], TEXTS, model="cross-identity")
    ]


def test_a_model_tells_its_heads(client):
    (head,) = client.model("bert-token_classification").heads
    assert (head.kind, head.score_function, head.groups) == ("token_classification", "softmax", ("PER", "LOC"))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda c: c.classify("a", model="tiny"), FailedPreconditionError, "tiny has no head that classifies texts"),
        (lambda c: c.classify("a", model="several"), InvalidArgumentError, "head is not set, and several has 2"),
        (lambda c: c.classify("a", model="nobody"), NotFoundError, "nobody"),
        (lambda c: c.classify(["a", ("a", "b")]), InvalidArgumentError, "texts has texts and pairs"),
        (lambda c: c.classify([("a", "b", "c")]), InvalidArgumentError, "texts[0] must be two str"),
        (lambda c: c.classify([("a", "\ud800")]), InvalidArgumentError, "texts[0].second has a lone surrogate"),
        (lambda c: c.classify(7), InvalidArgumentError, "texts must be a str or a sequence"),
        (lambda c: c.classify("a", long_texts="cut"), InvalidArgumentError, "long_texts is 'cut'; valid: refuse"),
        (lambda c: c.classify("a", overlap=-1), InvalidArgumentError, "overlap"),
        (lambda c: c.classify("a", truncate="end"), TypeError, "unexpected keyword argument 'truncate'"),
        (lambda c: c.entities("a", aggregation="all"), InvalidArgumentError, "aggregation is 'all'; valid: none"),
        (lambda c: c.answer("a", ["b"]), InvalidArgumentError, "question and context must be two str"),
        (lambda c: c.answer(["a"], ["b", "c"]), InvalidArgumentError, "or two lists as long as each other"),
        (lambda c: c.answer("a", "b", top_k=0), InvalidArgumentError, "top_k"),
        (lambda c: c.rerank("a", "b"), InvalidArgumentError, "texts must be a list of str, got str"),
        (lambda c: c.rerank("a", ["b"], top_k=2, model="cross-identity"), InvalidArgumentError, "top_k: got 2"),
    ],
)
def test_what_is_wrong_is_told(client, call, kind, words):
    with pytest.raises(kind) as caught:
        call(client)
    assert words in str(caught.value)


def test_errors_count_the_texts_that_were_passed(client):
    texts = ["a"] * 70 + [LONG]
    with pytest.raises(InvalidArgumentError) as caught:
        client.classify(texts, model="bert-classification")
    assert caught.value.field == "texts[70]"
    assert len(caught.value.partial) == 64
    with pytest.raises(InvalidArgumentError) as caught:
        client.answer(["a"] * 40, ["b"] * 39 + [LONG], model="bert-question_answering")
    assert caught.value.field == "questions[39]"


def test_labels_are_those_of_the_model_that_answered(client, monkeypatch):
    """Labels stand in the description of a model: one that was replaced since has others."""
    other = client.model("bert-one_label")
    client.classify("a", model="bert-classification")
    monkeypatch.setitem(client._defaults.catalog._models, "bert-classification", other)
    with pytest.raises(ModelChangedError):
        client.classify("a", model="bert-classification")
    assert client.classify("a", model="bert-classification").labels == ("negative", "neutral", "positive")


def test_statuses_of_grpc_are_kept(client):
    with pytest.raises(FailedPreconditionError) as caught:
        client.entities("a", model="tiny")
    assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION
