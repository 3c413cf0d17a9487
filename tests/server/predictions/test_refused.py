"""Predictions that are refused."""

import grpc
import pytest
from tests.data.golden.make_heads import LONG
from tests.server.predictions.calls import answer, classify, rerank, tag
from tests.server.running import CANARY, refused

from polyseme.server.inference.predictions import classification
from polyseme.v1 import prediction_service_pb2 as pb

Code = grpc.StatusCode
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
