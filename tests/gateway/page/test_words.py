"""What the page asks, against what the SDK gives."""

import numpy as np
import pytest
from tests.server.running import CANARY

from polyseme.client import Client
from polyseme.gateway.errors import HttpError
from polyseme.gateway.page.words import MAX_CHARACTERS, asked, cosines, rounded

SENTENCES = ["we sat on the bank.", "i robbed 𐐷 bank", "..."]


def ask(gateway, sentences, **fields):
    return gateway.ask("/page/words", {"sentences": sentences, **fields})


@pytest.fixture(scope="module")
def answered(gateway):
    found = ask(gateway, SENTENCES)
    assert found.status == 200
    return found.json


def test_words_are_those_of_the_text_with_their_tokens(answered):
    assert answered["layers"] == ["static", "0", "1", "2"]
    assert (answered["model"], answered["sentences"]) == ("tiny", SENTENCES)
    texts = [SENTENCES[word["sentence"]][word["start"] : word["end"]] for word in answered["words"]]
    assert texts == ["we", "sat", "on", "the", "bank", "i", "robbed", "𐐷", "bank"]
    assert answered["words"][0]["tokens"] == ["w", "##e"]


def test_cosines_are_those_of_the_sdk_in_every_layer(answered, server):
    with Client(server.target) as client:
        for row, layer in enumerate(["static", 0, 1, 2]):
            found = client.embed_words(SENTENCES, layers=layer)
            vectors = np.concatenate([words.vectors for words in found])
            units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            # 5e-4 for three digits, and as much again for the batches that differ
            assert np.array(answered["cosines"][row]) == pytest.approx(units @ units.T, abs=1e-3)
        assert np.array(answered["sentence_cosines"]) == pytest.approx(client.similarity(SENTENCES), abs=1e-3)


def test_one_word_is_the_same_static_vector_wherever_it_stands(answered):
    banks = [index for index, word in enumerate(answered["words"]) if word["tokens"][0] == "b"]
    assert answered["cosines"][0][banks[0]][banks[1]] == 1
    assert answered["cosines"][-1][banks[0]][banks[1]] < 1


def test_sentences_without_words_are_no_fault(gateway):
    found = ask(gateway, ["..."])
    assert (found.status, found.json["words"]) == (200, [])


def test_more_tokens_than_the_page_shows_are_refused_before_they_are_run(gateway):
    found = ask(gateway, ["a " * 120] * 3)
    assert (found.status, found.error["message"]) == (400, "sentences have 366 tokens; limit 256")


def test_an_unknown_model_is_404(gateway):
    assert ask(gateway, ["a"], model="other").status == 404
    assert ask(gateway, ["a"], model="tiny").status == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "sentences is null; an array of 1 to 12 strings"),
        ({"sentences": CANARY}, "sentences is a string"),
        ({"sentences": []}, "sentences is an array of 0"),
        ({"sentences": [CANARY] * 13}, "sentences is an array of 13"),
        ({"sentences": [CANARY, " "]}, "sentences[1] is no text"),
        ({"sentences": [CANARY, 1]}, "sentences[1] is no text"),
        ({"sentences": [CANARY * MAX_CHARACTERS]}, "sentences[0] has 11000 characters; limit 1000"),
        ({"sentences": [CANARY], "model": 1}, "model is a number; a string"),
        ({"sentences": [CANARY], CANARY: 1}, "a field that is not known"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(body, words):
    with pytest.raises(HttpError) as refused:
        asked(body)
    assert refused.value.status == 400
    assert words in str(refused.value)
    assert CANARY not in str(refused.value)


def test_cosines_of_vectors_of_no_length_are_0():
    vectors = np.array([[0, 0], [3, 4], [-3, -4]], np.float32)
    assert cosines(vectors).tolist() == [[0, 0, 0], [0, 1, -1], [0, -1, 1]]


def test_no_number_is_minus_0():
    assert str(rounded(np.array([-1e-9], np.float32))) == "[0.]"
