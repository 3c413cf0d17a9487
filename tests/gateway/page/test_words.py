"""What the page asks, against what the SDK gives."""

import numpy as np
import pytest
from tests.gateway.page.taggers import HEADS

from polyseme.client import Client

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
    sentences = [sentence.encode("utf-16-le") for sentence in SENTENCES]
    texts = [
        sentences[word["sentence"]][2 * word["start"] : 2 * word["end"]].decode("utf-16-le")
        for word in answered["words"]
    ]
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


def test_models_and_the_heads_that_find_entities_are_told(tagging_gateway):
    answered = ask(tagging_gateway, ["a"]).json
    assert answered["models"] == ["tagger", "tiny"]
    assert answered["heads"] == [{"name": name, "groups": ["PER", "LOC"]} for name in HEADS]
    assert ask(tagging_gateway, ["a"], model="tiny").json["heads"] == []


def test_sentences_that_were_cut_are_told(tagging_gateway):
    answered = ask(tagging_gateway, ["a", "a " * 70]).json
    assert (answered["truncated"], answered["max_tokens"]) == ([1], 64)
    assert len(answered["words"]) == 1 + 62
