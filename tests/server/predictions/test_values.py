"""What heads predict, served, against transformers' pipelines."""

import grpc
import numpy as np
import pytest
from tests.data.golden.make_heads import LONG, PAIRS, TEXTS
from tests.server.predictions.calls import NAMES, answer, array, classify, head, of, rerank, tag
from tests.server.running import refused

from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2
from polyseme.v1 import prediction_service_pb2 as pb

Code = grpc.StatusCode
UNITS = {
    common_pb2.OFFSET_UNIT_CODE_POINT: lambda text: text,
    common_pb2.OFFSET_UNIT_UTF8_BYTE: lambda text: text.encode(),
    common_pb2.OFFSET_UNIT_UTF16_CODE_UNIT: lambda text: text.encode("utf-16-le"),
}


@pytest.mark.parametrize("name", NAMES[:4])
def test_texts_are_classified_as_by_transformers(server, golden, name):
    labels = head(server, name).labels
    reply = classify(server, name, TEXTS)
    for row, want in zip(array(reply.scores), golden[name]["texts"], strict=True):
        scores = {one["label"]: one["score"] for one in want}
        np.testing.assert_allclose(row, [scores[label] for label in labels], atol=1e-5)
    assert reply.head == "classification"
    assert [one.windows for one in reply.inputs] == [1] * len(TEXTS)


@pytest.mark.parametrize("name", NAMES[:4])
def test_pairs_are_classified_as_by_transformers(server, golden, name):
    labels = head(server, name).labels
    pairs = [pb.TextPair(first=first, second=second) for first, second in PAIRS]
    for row, want in zip(array(classify(server, name, pairs=pairs).scores), golden[name]["pairs"], strict=True):
        scores = {one["label"]: one["score"] for one in want}
        np.testing.assert_allclose(row, [scores[label] for label in labels], atol=1e-5)


@pytest.mark.parametrize("name", ["cross-identity", "cross-sigmoid"])
def test_texts_are_put_in_the_order_of_a_cross_encoder(server, golden, name):
    want = np.array(golden[name])
    reply = rerank(server, TEXTS[0], TEXTS, name=name)
    assert list(reply.indices) == np.argsort(-want, kind="stable").tolist()
    np.testing.assert_allclose(array(reply.scores), np.sort(want)[::-1], atol=1e-5)
    best = rerank(server, TEXTS[0], TEXTS, name=name, top_k=1)
    assert (list(best.indices), len(best.inputs)) == (list(reply.indices)[:1], len(TEXTS))


@pytest.mark.parametrize("aggregation", ["none", "simple", "first", "average", "max"])
def test_entities_are_those_of_transformers(server, golden, aggregation):
    told = head(server, "bert-token_classification")
    number = pb.Aggregation.Value(f"AGGREGATION_{aggregation.upper()}")
    reply = tag(server, TEXTS, aggregation=number)
    for text, found, want in zip(TEXTS, reply.texts, golden["entities"][aggregation], strict=True):
        assert [(one.span.start, one.span.end) for one in found.entities] == [(w["start"], w["end"]) for w in want]
        names = [w.get("entity") or w["entity_group"] for w in want]
        own = told.labels if aggregation == "none" else told.groups
        assert [own[one.label if aggregation == "none" else one.group] for one in found.entities] == names
        np.testing.assert_allclose(array(found.scores), [w["score"] for w in want], atol=1e-5)
        assert [one.text for one in found.entities] == [text[w["start"] : w["end"]] for w in want]
    assert any(found.entities for found in reply.texts)


@pytest.mark.parametrize("unit", UNITS)
def test_offsets_of_entities_are_in_the_unit_asked_for(server, unit):
    in_unit = UNITS[unit]
    size = 2 if unit == common_pb2.OFFSET_UNIT_UTF16_CODE_UNIT else 1
    text = "\U0001f642 caf\u00e9 \u05e9\u05dc\u05d5\u05dd na\u00efve e\u0301 \u5317\u4eac zoo bank"
    (found,) = tag(server, [text], offset_unit=unit, aggregation=pb.AGGREGATION_NONE).texts
    whole = in_unit(text)
    assert found.entities
    for one in found.entities:
        assert whole[one.span.start * size : one.span.end * size] == in_unit(one.text)


def test_an_entity_says_which_tokens_it_covers(server):
    text = TEXTS[1]
    (found,) = tag(server, [text]).texts
    tokens = server.embedding.Tokenize(
        embedding_service_pb2.TokenizeRequest(texts=[text], model=of("bert-token_classification")), timeout=300
    )
    starts, ends = (list(getattr(tokens.texts[0].tokens, side)) for side in ("starts", "ends"))
    assert found.entities
    for one in found.entities:
        assert (one.span.start, one.span.end) == (starts[one.tokens[0]], ends[one.tokens[-1]])


def test_answers_are_the_best_spans_of_all_windows(server, golden):
    for want in golden["answers"]:
        name, asked = "bert-question_answering-64", [(want["question"], want["context"])]
        reply = answer(server, asked, name=name, long_texts=pb.LONG_TEXTS_WINDOWS, overlap=16)
        (found,) = reply.questions
        assert found.info.windows == want["windows"]
        np.testing.assert_allclose(array(reply.none_scores), [want["none"]], atol=1e-5)
        assert [(one.span.start, one.span.end, one.text) for one in found.answers] == [
            (want["start"], want["end"], want["context"][want["start"] : want["end"]])
        ][: bool(want["context"])]
        np.testing.assert_allclose(array(found.scores), [want["score"]][: bool(want["context"])], atol=1e-5)


def test_a_context_may_have_no_answer(server):
    question = ("who went home?", TEXTS[1])
    reply = answer(server, [question], top_k=64)
    (several,), (none,) = reply.questions, array(reply.none_scores)
    (some,) = answer(server, [question], top_k=64, may_have_none=True).questions
    better = [score for score in array(several.scores) if score >= none]
    assert len(several.answers) == 64
    assert sorted(array(several.scores), reverse=True) == list(array(several.scores))
    assert list(array(some.scores)) == better


def test_long_texts_are_refused_cut_or_in_windows(server):
    limit, text = server.models.GetModel(
        model_service_pb2.GetModelRequest(model=of("bert-classification")), timeout=300
    ).model.max_tokens, LONG  # fmt: skip
    name = "bert-classification"
    refused(lambda: classify(server, name, [text]), Code.INVALID_ARGUMENT, "texts[0] has", f"limit {limit}")
    (cut,) = classify(server, name, [text], long_texts=pb.LONG_TEXTS_LONGEST_FIRST).inputs
    assert (cut.tokens, cut.truncated, cut.windows) == (limit, True, 1)
    reply = classify(server, name, [text], long_texts=pb.LONG_TEXTS_WINDOWS, overlap=16)
    (spread,) = reply.inputs
    assert not spread.truncated
    assert spread.windows == 1 + -(-(spread.original_tokens - limit) // (limit - 2 - 16))
    assert spread.tokens == spread.original_tokens + (spread.windows - 1) * (16 + 2)
    np.testing.assert_allclose(array(reply.scores).sum(), 1, atol=1e-5)


def test_a_pair_is_cut_as_asked(server):
    pair = [pb.TextPair(first="a b", second=LONG)]
    for how in (pb.LONG_TEXTS_LONGEST_FIRST, pb.LONG_TEXTS_ONLY_SECOND):
        (one,) = classify(server, "bert-classification", pairs=pair, long_texts=how).inputs
        assert (one.tokens, one.truncated) == (160, True)
    pair = [pb.TextPair(first=LONG, second="a")]
    refused(
        lambda: classify(server, "bert-classification", pairs=pair, long_texts=pb.LONG_TEXTS_ONLY_SECOND),
        Code.INVALID_ARGUMENT, "pairs[0] has", "tokens of the first text; limit 160",
    )  # fmt: skip


def test_windows_find_what_one_run_finds(server):
    (alone,) = tag(server, [TEXTS[1]], aggregation=pb.AGGREGATION_NONE).texts
    (windowed,) = tag(server, [TEXTS[1]], aggregation=pb.AGGREGATION_NONE, long_texts=pb.LONG_TEXTS_WINDOWS).texts
    assert alone == windowed
    (found,) = tag(server, [LONG], long_texts=pb.LONG_TEXTS_WINDOWS).texts
    assert found.info.windows > 1
    ends = [0, *(one.span.end for one in found.entities)]
    assert all(end <= one.span.start for end, one in zip(ends, found.entities, strict=False))
    (asked,) = answer(server, [("where?", LONG)], long_texts=pb.LONG_TEXTS_WINDOWS, top_k=3).questions
    assert asked.info.windows > 1
    assert all(one.text == LONG[one.span.start : one.span.end] for one in asked.answers)


@pytest.mark.parametrize("aggregation", ["simple", "first", "average", "max"])
def test_entities_of_windows_are_those_of_transformers(server, golden, aggregation):
    number, name = pb.Aggregation.Value(f"AGGREGATION_{aggregation.upper()}"), "bert-token_classification-64"
    (found,) = tag(server, [LONG], name=name, aggregation=number, long_texts=pb.LONG_TEXTS_WINDOWS, overlap=16).texts
    groups, want = head(server, name).groups, golden["windows"][aggregation]
    assert [(one.span.start, one.span.end) for one in found.entities] == [(w["start"], w["end"]) for w in want]
    assert [groups[one.group] for one in found.entities] == [w["entity_group"] for w in want]
    np.testing.assert_allclose(array(found.scores), [w["score"] for w in want], atol=1e-5)
    assert found.info.windows > 3


def test_texts_may_be_empty(server):
    name, empty = "bert-classification", pb.TextPair()
    (first, _, third) = array(classify(server, name, ["", "a", ""]).scores)
    np.testing.assert_allclose(first, third, atol=1e-5)
    assert len(array(classify(server, name, pairs=[empty, pb.TextPair(first="a"), empty]).scores)) == 3
    assert [list(one.entities) for one in tag(server, ["", ""]).texts] == [[], []]
    assert [list(one.answers) for one in answer(server, [("a", "")]).questions] == [[]]
    assert len(rerank(server, "a", ["", "b"]).indices) == 2


def test_vectors_come_from_the_same_artifact(server):
    request = embedding_service_pb2.EmbedRequest(texts=TEXTS, model=of("bert-classification"))
    assert list(server.embedding.Embed(request, timeout=300).embeddings.shape) == [len(TEXTS), 16]


def test_a_model_tells_its_heads(server):
    one = head(server, "bert-token_classification")
    assert (one.name, one.kind) == ("token_classification", model_service_pb2.HEAD_KIND_TOKEN_CLASSIFICATION)
    assert list(one.labels) == ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    assert list(one.groups) == ["PER", "LOC"]
    assert head(server, "bert-multi_label").score_function == model_service_pb2.SCORE_FUNCTION_SIGMOID


def test_one_artifact_answers_by_each_of_its_heads(server):
    by_name = [array(classify(server, "several", TEXTS, head=name).scores) for name in ("moods", "more")]
    np.testing.assert_array_equal(*by_name)
    (found,) = tag(server, [TEXTS[1]], name="several").texts
    (alone,) = tag(server, [TEXTS[1]]).texts
    assert found.entities == alone.entities
    np.testing.assert_array_equal(array(found.scores), array(alone.scores))
