"""What heads predict, served: against transformers' pipelines, and what is refused."""

import json
from dataclasses import replace
from weakref import WeakSet

import grpc
import numpy as np
import pytest
from tests.data.golden.make_heads import HEADS, LONG, PAIRS, TEXTS
from tests.export.encoders.architectures.test_heads import FP32, checkpoint
from tests.export.test_heads import over_encoder_of
from tests.server.running import CANARY, refused, running

from polyseme.export import export_model
from polyseme.runtime.heads import LoadedHead
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.predictions import classification
from polyseme.server.inference.predictions import running as running_
from polyseme.server.inference.validation import Limits
from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2, tensor_pb2
from polyseme.v1 import prediction_service_pb2 as pb

Code = grpc.StatusCode
NAMES = ("bert-classification", "bert-multi_label", "bert-regression", "bert-one_label", "cross-identity",
         "cross-sigmoid", "bert-token_classification", "bert-question_answering")  # fmt: skip
SHORT = ("bert-token_classification", "bert-question_answering")  # which take 64 tokens too, as the goldens have it
UNITS = {
    common_pb2.OFFSET_UNIT_CODE_POINT: lambda text: text,
    common_pb2.OFFSET_UNIT_UTF8_BYTE: lambda text: text.encode(),
    common_pb2.OFFSET_UNIT_UTF16_CODE_UNIT: lambda text: text.encode("utf-16-le"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory, tiny_artifact):
    folder = tmp_path_factory.mktemp("heads")
    for name in NAMES:
        export_model(str(checkpoint(name, folder)), folder / "out" / name, FP32)
    tagger, moods = (
        checkpoint(f"bert-{kind}", folder / "several") for kind in ("token_classification", "classification")
    )
    over_encoder_of(tagger, moods)
    more = {"moods": str(moods), "more": str(moods)}
    export_model(str(tagger), folder / "out/several", replace(FP32, name="several", more_heads=more))
    for name in SHORT:
        short = replace(FP32, name=f"{name}-64", max_tokens=64)
        export_model(str(checkpoint(name, folder / "short")), folder / "out" / f"{name}-64", short)
    with running(
        *(folder / "out" / name for name in NAMES),
        *(folder / "out" / f"{name}-64" for name in SHORT),
        folder / "out/several",
        tiny_artifact,
        max_texts=64,
        max_text_bytes=4096,
    ) as it:
        yield it


@pytest.fixture(scope="module")
def golden():
    return json.loads((HEADS / "answers.json").read_text())


def of(name):
    return common_pb2.ModelRef(name=name)


def array(tensor):
    assert tensor.dtype == tensor_pb2.DATA_TYPE_FLOAT32
    return np.frombuffer(tensor.data, "<f4").reshape(tuple(tensor.shape))


def head(server, name):
    (one,) = server.models.GetModel(model_service_pb2.GetModelRequest(model=of(name)), timeout=300).model.heads
    return one


def classify(server, name, texts=(), timeout=300, **fields):
    return server.prediction.Classify(pb.ClassifyRequest(texts=texts, model=of(name), **fields), timeout=timeout)


def tag(server, texts, timeout=300, name="bert-token_classification", **fields):
    return server.prediction.TagTokens(pb.TagTokensRequest(texts=texts, model=of(name), **fields), timeout=timeout)


def answer(server, questions, timeout=300, name="bert-question_answering", **fields):
    asked = [pb.Question(question=question, context=context) for question, context in questions]
    return server.prediction.Answer(pb.AnswerRequest(questions=asked, model=of(name), **fields), timeout=timeout)


def rerank(server, query, texts, timeout=300, name="cross-identity", **fields):
    return server.prediction.Rerank(
        pb.RerankRequest(query=query, texts=texts, model=of(name), **fields), timeout=timeout
    )


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
    monkeypatch.setattr(running_, "_MOST_ELEMENTS", 1)
    monkeypatch.setattr(running_, "_MOST_CHARACTERS", 30)
    with server.faults.counted() as runs:
        apart = tag(server, TEXTS)
    assert len(runs) == len(TEXTS)
    assert [text.entities for text in apart.texts] == [text.entities for text in whole.texts]
    monkeypatch.setattr(running_, "_MOST_WINDOWS", 3)
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
    monkeypatch.setattr(running_, "_MOST_ELEMENTS", 2 * 64 * 16)  # two windows
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


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_tokens_are_held_some_at_a_time(server, monkeypatch, call):
    """A query is tokenized with each text: tokens held to the end would be a thousand times the query's."""
    held, most = WeakSet(), []
    monkeypatch.setattr(running_, "_MOST_CHARACTERS", 1)
    monkeypatch.setattr(running_, "Prepared", held_in(held, most))
    assert call(server).head
    assert max(most) <= 2


def held_in(held, most):
    class Held(running_.Prepared):
        __slots__ = ("__weakref__",)

        def __init__(self, **fields):
            super().__init__(**fields)
            held.add(self)
            most.append(len(held))

        __hash__ = object.__hash__

    return Held


WINDOWS = pb.LONG_TEXTS_WINDOWS


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (lambda s: classify(s, "bert-classification"), Code.INVALID_ARGUMENT, ["texts is empty; 1 to 64 are needed"]),
        (
            lambda s: classify(s, "bert-classification", [CANARY] * 65),
            Code.INVALID_ARGUMENT,
            ["65 entries; limit 64"],
        ),
        (
            lambda s: classify(s, "bert-classification", pairs=[pb.TextPair(first=CANARY)] * 33),
            Code.INVALID_ARGUMENT,
            ["pairs has 33 entries; limit 32, as each has two texts"],
        ),
        (
            lambda s: classify(s, "bert-classification", [CANARY], pairs=[pb.TextPair(first=CANARY)]),
            Code.INVALID_ARGUMENT,
            ["texts and pairs are both set"],
        ),
        (
            lambda s: classify(s, "bert-classification", pairs=[pb.TextPair(first="a", second=CANARY * 400)]),
            Code.INVALID_ARGUMENT,
            ["pairs[0].second has 4400 bytes; limit 4096"],
        ),
        (
            lambda s: classify(s, "bert-classification", [CANARY], head="moods"),
            Code.INVALID_ARGUMENT,
            ["head: bert-classification has no head of that name; it has: classification (classification)"],
        ),
        (
            lambda s: classify(s, "bert-token_classification", [CANARY], head="token_classification"),
            Code.INVALID_ARGUMENT,
            ["head: token_classification is not one that classifies texts"],
        ),
        (
            lambda s: classify(s, "tiny", [CANARY]),
            Code.FAILED_PRECONDITION,
            ["tiny has no head that classifies texts; it has: none that predicts"],
        ),
        (
            lambda s: tag(s, [CANARY], name="bert-classification"),
            Code.FAILED_PRECONDITION,
            ["bert-classification has no head that labels tokens; it has: classification (classification)"],
        ),
        (
            lambda s: answer(s, [(CANARY, CANARY)], name="bert-classification"),
            Code.FAILED_PRECONDITION,
            ["has no head that answers questions"],
        ),
        (
            lambda s: rerank(s, CANARY, [CANARY], name="bert-classification"),
            Code.FAILED_PRECONDITION,
            ["has no head that classifies texts by one label"],
        ),
        (
            lambda s: classify(s, "several", [CANARY]),
            Code.INVALID_ARGUMENT,
            ["head is not set, and several has 2, each of which classifies texts: moods, more"],
        ),
        (lambda s: classify(s, "nobody", [CANARY]), Code.NOT_FOUND, ["model 'nobody' is not served here"]),
        (lambda s: tag(s, []), Code.INVALID_ARGUMENT, ["texts is empty"]),
        (lambda s: tag(s, [CANARY], aggregation=9), Code.INVALID_ARGUMENT, ["aggregation: got 9"]),
        (lambda s: tag(s, [CANARY], long_texts=9), Code.INVALID_ARGUMENT, ["long_texts: got 9"]),
        (
            lambda s: tag(s, [CANARY], long_texts=WINDOWS, overlap=160),
            Code.INVALID_ARGUMENT,
            ["overlap: got 160; limits 0..159"],
        ),
        (
            lambda s: tag(s, [LONG], long_texts=WINDOWS, overlap=158),
            Code.INVALID_ARGUMENT,
            ["texts[0] has windows of 158 tokens", "overlap 158 must be less"],
        ),
        (lambda s: answer(s, []), Code.INVALID_ARGUMENT, ["questions is empty; 1 to 32 are needed"]),
        (lambda s: answer(s, [("", CANARY)]), Code.INVALID_ARGUMENT, ["questions[0].question is empty"]),
        (lambda s: answer(s, [("a", CANARY)], top_k=0), Code.INVALID_ARGUMENT, ["top_k: got 0; limits 1..64"]),
        (
            lambda s: answer(s, [("a", CANARY)], max_answer_tokens=513),
            Code.INVALID_ARGUMENT,
            ["max_answer_tokens: got 513; limits 1..512"],
        ),
        (lambda s: rerank(s, "", [CANARY]), Code.INVALID_ARGUMENT, ["query is empty"]),
        (
            lambda s: rerank(s, "a" * 4096, [CANARY] * 60, long_texts=pb.LONG_TEXTS_LONGEST_FIRST),
            Code.INVALID_ARGUMENT,
            ["query has 4096 bytes, and is run with each of 60 texts; limit 50"],
        ),
        (lambda s: rerank(s, CANARY, []), Code.INVALID_ARGUMENT, ["texts is empty"]),
        (lambda s: rerank(s, CANARY, [CANARY], top_k=2), Code.INVALID_ARGUMENT, ["top_k: got 2; limits 1..1"]),
        (lambda s: rerank(s, CANARY, [CANARY] * 64), Code.INVALID_ARGUMENT, ["texts has 64 entries; limit 63"]),
    ],
)
def test_what_cannot_be_served_is_refused(server, monkeypatch, call, code, words):
    monkeypatch.setattr(classification, "_MOST_QUERY_BYTES", 50 * 4096)
    refused(lambda: call(server), code, *words)
