"""Labels through tei.v1: those of polyseme.v1, and what one label's score is."""

import grpc
import numpy as np
import pytest
from tests.data.golden.make_heads import PAIRS, TEXTS
from tests.server.running import CANARY, refused
from tests.server.wire.tei.conftest import stubs, trailer

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.v1 import model_service_pb2
from polyseme.v1 import prediction_service_pb2 as v1

Code = grpc.StatusCode
LONG = "a " * 600


@pytest.fixture(scope="module")
def moods(serving_head):
    with serving_head("bert-classification") as server:
        yield stubs(server)


@pytest.fixture(scope="module")
def one_label(serving_head):
    with serving_head("bert-one_label") as server:
        yield stubs(server)


def by_v1(tei, **inputs):
    """The scores of polyseme.v1, by label."""
    (head,) = tei.server.models.GetModel(model_service_pb2.GetModelRequest(), timeout=300).model.heads
    reply = tei.server.prediction.Classify(v1.ClassifyRequest(**inputs), timeout=300)
    return dict(zip(head.labels, np.frombuffer(reply.scores.data, "<f4").tolist(), strict=True)), reply.inputs[0]


def told(reply):
    return {one.label: one.score for one in reply.predictions}


@pytest.mark.parametrize("text", TEXTS[:3])
def test_labels_are_those_of_v1_the_best_first(moods, text):
    reply = moods.predict.Predict(pb.PredictRequest(inputs=text), timeout=300)
    want, info = by_v1(moods, texts=[text])
    assert told(reply) == want
    scores = [one.score for one in reply.predictions]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)
    assert reply.metadata.compute_tokens == info.tokens


def test_raw_scores_are_logits(moods):
    raw = told(moods.predict.Predict(pb.PredictRequest(inputs=TEXTS[0], raw_scores=True), timeout=300))
    scores = by_v1(moods, texts=TEXTS[:1])[0]
    powers = {label: np.exp(logit) for label, logit in raw.items()}
    softmax = {label: power / sum(powers.values()) for label, power in powers.items()}
    assert softmax == pytest.approx(scores, abs=1e-6)  # float32 against float64
    assert sum(raw.values()) != pytest.approx(1)


def test_pairs_are_classified_as_by_v1(moods):
    first, second = PAIRS[0]
    want, info = by_v1(moods, pairs=[v1.TextPair(first=first, second=second)])
    reply = moods.predict.PredictPair(pb.PredictPairRequest(inputs=[first, second]), timeout=300)
    assert (told(reply), reply.metadata.compute_tokens) == (want, info.tokens)
    alone = moods.predict.PredictPair(pb.PredictPairRequest(inputs=[first]), timeout=300)
    assert told(alone) == by_v1(moods, texts=[first])[0]


def test_the_score_of_a_single_label_lies_between_0_and_1(one_label):
    (raw,) = one_label.predict.Predict(pb.PredictRequest(inputs=TEXTS[0], raw_scores=True), timeout=300).predictions
    (one,) = one_label.predict.Predict(pb.PredictRequest(inputs=TEXTS[0]), timeout=300).predictions
    assert one.score == pytest.approx(1 / (1 + np.exp(-raw.score)), abs=1e-6)


def test_streams_answer_in_order(moods):
    texts = list(TEXTS) * 3
    replies = list(moods.predict.PredictStream((pb.PredictRequest(inputs=text) for text in texts), timeout=300))
    for text, reply in zip(texts, replies, strict=True):
        assert told(reply) == pytest.approx(by_v1(moods, texts=[text])[0], abs=1e-5)
    pairs = (pb.PredictPairRequest(inputs=pair) for pair in PAIRS)
    replies = list(moods.predict.PredictPairStream(pairs, timeout=300))
    for (first, second), reply in zip(PAIRS, replies, strict=True):
        want, _ = by_v1(moods, pairs=[v1.TextPair(first=first, second=second)])
        assert told(reply) == pytest.approx(want, abs=1e-5)


def test_a_long_text_is_cut_if_the_caller_says_so_and_the_trailers_tell(moods):
    reply, call = moods.predict.Predict.with_call(pb.PredictRequest(inputs=LONG, truncate=True), timeout=300)
    assert told(reply) == by_v1(moods, texts=[LONG], long_texts=v1.LONG_TEXTS_LONGEST_FIRST)[0]
    assert trailer(call, "x-truncated-texts") == "1"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (pb.PredictRequest(inputs=LONG), ("inputs has ", "tokens; limit")),
        (pb.PredictRequest(inputs=CANARY * 400), ("inputs has 4400 bytes; limit 4096",)),
        (pb.PredictRequest(inputs="a", truncate=True, truncation_direction=1), ("truncation_direction: got LEFT",)),
        (pb.PredictRequest(inputs="a", truncation_direction=9), ("truncation_direction: got 9",)),
        (pb.PredictPairRequest(inputs=["a"] * 3), ("inputs has 3 entries; limits 1..2",)),
        (pb.PredictPairRequest(), ("inputs has 0 entries; limits 1..2",)),
        (pb.PredictPairRequest(inputs=["a", CANARY * 400]), ("inputs[1] has 4400 bytes; limit 4096",)),
        (pb.PredictPairRequest(inputs=["a", LONG]), ("inputs has ", "tokens; limit")),
    ],
)
def test_what_cannot_be_served_is_invalid_and_named_as_the_contract_does(moods, request_, words):
    method = moods.predict.Predict if isinstance(request_, pb.PredictRequest) else moods.predict.PredictPair
    refused(lambda: method(request_, timeout=300), Code.INVALID_ARGUMENT, *words)


def test_a_model_without_such_a_head_says_so(tei):
    request = pb.PredictRequest(inputs="a")
    words = "tiny has no head that classifies texts"
    refused(lambda: tei.predict.Predict(request, timeout=300), Code.FAILED_PRECONDITION, words)
