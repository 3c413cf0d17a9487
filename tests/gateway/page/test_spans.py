"""What the page asks of a span, against what the SDK gives."""

import numpy as np
import pytest
from tests.server.running import CANARY

from polyseme.client import Client
from polyseme.gateway.errors import HttpError
from polyseme.gateway.page.spans import span_in, utf16_length

# An emoji of five code points and eight units, an accent of its own, a letter beyond the first plane.
SENTENCES = ["we sat 👩🏽\u200d🚒 on the cafe\u0301 bank.", "i robbed 𐐷 bank", "\u200d"]
LAYERS = ["static", 0, 1, 2]
EMOJI = "👩🏽\u200d🚒"


def ask(gateway, sentence, part, sentences=SENTENCES, **fields):
    """Ask about the first place of a part in a sentence."""
    start = utf16_length(sentences[sentence].partition(part)[0])
    span = {"sentence": sentence, "start": start, "end": start + utf16_length(part)}
    return gateway.ask("/page/spans", {"sentences": sentences, **span, **fields})


def units(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("sentence", "part", "tokens"),
    [
        (0, "on the", ["o", "##n", "t", "##h", "##e"]),
        (0, f"{EMOJI} on", ["[UNK]", "o", "##n"]),
        (0, EMOJI, ["[UNK]"]),
        (0, "cafe\u0301", ["c", "##a", "##f", "##e"]),
        (0, "bank.", ["b", "##a", "##n", "##k", "."]),
        (1, "𐐷 bank", ["[UNK]", "b", "##a", "##n", "##k"]),
    ],
)
def test_a_span_is_the_one_of_the_sdk_in_every_layer(gateway, server, sentence, part, tokens):
    found = ask(gateway, sentence, part)
    assert found.status == 200
    assert found.json["tokens"] == tokens
    text = SENTENCES[sentence]
    start = text.index(part)  # code points: the SDK's own unit
    with Client(server.target) as client:
        for row, layer in enumerate(LAYERS):
            one = client.embed_words(text, spans=[(start, start + len(part))], layers=layer).vectors
            words = np.concatenate([words.vectors for words in client.embed_words(SENTENCES, layers=layer)])
            whole = [
                client.embed_words(text, spans=[(0, len(text))], layers=layer).vectors[0] for text in SENTENCES[:2]
            ]
            # 5e-4 for three digits, and as much again for the batches that differ
            assert found.json["words"][row] == pytest.approx((units(one) @ units(words).T)[0], abs=1e-3)
            compared = (units(one) @ units(np.array(whole)).T)[0]
            assert found.json["sentences"][row][:2] == pytest.approx(compared, abs=1e-3)


def test_a_sentence_of_which_the_model_sees_no_token_has_no_cosine(gateway):
    assert [row[2] for row in ask(gateway, 0, "bank").json["sentences"]] == [None] * 4


def test_a_whole_sentence_is_1_from_itself_and_a_word_from_its_span(gateway):
    whole = ask(gateway, 1, SENTENCES[1]).json
    assert [row[1] for row in whole["sentences"]] == [1] * 4
    words = gateway.ask("/page/words", {"sentences": SENTENCES}).json["words"]
    bank = words.index(next(word for word in words if word["tokens"] == ["b", "##a", "##n", "##k"]))
    assert [row[bank] for row in ask(gateway, 0, "bank").json["words"]] == [1] * 4


@pytest.mark.parametrize(("sentence", "part"), [(0, " "), (2, "\u200d")])
def test_a_span_without_a_token_is_refused(gateway, sentence, part):
    found = ask(gateway, sentence, part)
    assert (found.status, found.error["message"]) == (400, "the span has no token that the model reads")


def test_a_span_behind_the_tokens_that_the_model_reads_is_refused(tagging_gateway):
    sentences = ["a " * 70 + "bank"]
    found = ask(tagging_gateway, 0, "bank", sentences)
    assert (found.status, found.error["message"]) == (400, "the span has no token that the model reads")
    assert ask(tagging_gateway, 0, "a", sentences).status == 200
    assert ask(tagging_gateway, 0, "a", sentences, model="nobody").status == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sentence": 3}, "sentence is 3; an integer from 0 to 2"),
        ({"sentence": 1, "end": 17}, "end is 17; an integer from 0 to 16"),
        ({"sentence": 1, "start": 10}, "start is 10, between two surrogates of one character"),
        ({"sentence": 1, "end": 10}, "end is 10, between two surrogates"),
        ({"start": 2, "end": 2}, "start is 2, end is 2; a span is not empty"),
        ({"start": "2"}, "start is a string; an integer"),
    ],
)
def test_what_is_wrong_with_a_span_is_named(fields, words):
    sentences = [CANARY, "i robbed 𐐷 bank", CANARY]
    with pytest.raises(HttpError) as refused:
        span_in({"sentence": 0, "start": 0, "end": 1, **fields}, sentences)
    assert refused.value.status == 400
    assert words in str(refused.value)
    assert CANARY not in str(refused.value)
