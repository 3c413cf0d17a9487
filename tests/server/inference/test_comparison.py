"""Similarity over words and spans, beside whole texts."""

import numpy as np
import pytest
from grpc import StatusCode
from tests.server.replies import array, spans_request
from tests.server.running import CANARY, refused

from polyseme.v1 import embedding_service_pb2 as pb

MONEY = "I deposited the check at the bank."
WATER = "We sat on the bank of the river."
BOTH = "The bank robber was seen fishing on the river bank."


def word(text, query, **fields):
    return pb.Operand(text=text, word={"text": query, **fields})


def compare(server, a, b=(), **fields):
    reply = server.embedding.Similarity(pb.SimilarityRequest(a=a, b=b, **fields), timeout=300)
    return array(reply.scores), reply


def vectors(server, text, *words, **fields):
    return array(server.embedding.EmbedSpans(spans_request(text, *words, **fields), timeout=300).texts[0].vectors)


def cosines(a, b):
    return (a @ b.T) / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))


@pytest.mark.parametrize("layers", [{}, {"layers": [-4, -3, -2, -1]}, {"layers": [2], "static_embedding": True}])
@pytest.mark.parametrize("subtokens", ["SUBTOKEN_POOLING_MEAN", "SUBTOKEN_POOLING_FIRST"])
def test_words_are_compared_by_their_vectors(minilm_server, layers, subtokens):
    fields = {"layers": layers, "subtokens": subtokens}
    scores, reply = compare(
        minilm_server, [word(MONEY, "bank"), word(MONEY, "deposited")], [word(WATER, "bank")], **fields
    )
    a = vectors(minilm_server, MONEY, "bank", "deposited", **fields)
    b = vectors(minilm_server, WATER, "bank", **fields)
    np.testing.assert_allclose(scores, cosines(a, b), atol=1e-5)
    assert [info.tokens for info in reply.texts] == [10, 10, 11]


def test_the_closest_words_to_this_one_here(minilm_server):
    candidates = [word(WATER, "bank"), word(MONEY, "check"), word(WATER, "sat"), word(BOTH, "bank", occurrence=1)]
    scores, reply = compare(minilm_server, [word(MONEY, "bank")], candidates, mode="SIMILARITY_MODE_TOP_K", top_k=4)
    assert sorted(reply.indices) == [0, 1, 2, 3]
    assert list(reply.indices)[-1] == 2, "to sit is the furthest from a bank of money"
    assert (np.diff(scores[0]) <= 0).all()


def test_texts_and_their_parts_in_one_call(minilm_server):
    texts = [MONEY, WATER]
    whole = array(minilm_server.embedding.Embed(pb.EmbedRequest(texts=texts), timeout=300).embeddings)
    part = vectors(minilm_server, WATER, "river")
    a = [pb.Operand(text=MONEY), word(WATER, "river"), pb.Operand(text=WATER)]
    scores, reply = compare(minilm_server, a)
    every = np.stack([whole[0], part[0], whole[1]])
    np.testing.assert_allclose(scores, cosines(every, every), atol=1e-5)
    assert [info.tokens for info in reply.texts] == [10, 11, 11]


def test_occurrences_and_spans_of_one_text(minilm_server):
    first, second = word(BOTH, "bank", occurrence=1), word(BOTH, "bank", occurrence=2)
    at = BOTH.rindex("bank")
    span = pb.Operand(text=BOTH, span={"start": at, "end": at + 4})
    with minilm_server.faults.counted() as runs:
        scores, _ = compare(minilm_server, [first, second], [span], mode="SIMILARITY_MODE_MATRIX")
    assert [len(lengths) for lengths in runs] == [1], "one text is run once, however many of its words are asked for"
    assert scores[1, 0] == pytest.approx(1, abs=1e-6)
    assert scores[0, 0] < 0.99


@pytest.mark.parametrize(
    ("a", "b", "fields", "words"),
    [
        ([word(BOTH, "bank")], [], {}, ("a[0]", "occurs 2 times")),
        ([pb.Operand(text="x")], [word(WATER, CANARY)], {}, ("b[0]", "not found")),
        ([word(BOTH, "bank", occurrence=3)], [], {}, ("a[0]", "3", "2")),
        (
            [pb.Operand(text="x"), pb.Operand(text="abc", span={"start": 1, "end": 9})],
            [],
            {},
            ("a[1]", "beyond the end"),
        ),
        ([word(BOTH, "robber")], [], {"layers": {"layers": [0, 1], "combine": "COMBINE_NONE"}}, ("layers.combine",)),
        (
            [word(BOTH, "robber")],
            [pb.Operand(text="x")],
            {"layers": {"layers": [0, 1], "combine": "COMBINE_CONCAT"}},
            ("384 dimensions", "768"),
        ),
        ([word(f"{CANARY} " * 200 + "a", "a")], [], {}, ("a[0]", "tokens; limit 256")),
        ([pb.Operand(text="x")], [pb.Operand(text=f"{CANARY} " * 200)], {}, ("b[0]", "tokens; limit 256")),
    ],
)
def test_refusals_name_the_operand(minilm_server, a, b, fields, words):
    refused(lambda: compare(minilm_server, a, b, **fields), StatusCode.INVALID_ARGUMENT, *words)
