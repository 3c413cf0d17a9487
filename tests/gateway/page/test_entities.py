"""The entities that the page marks, against those of the SDK."""

import pytest
from tests.data.golden.make_heads import LONG, TEXTS
from tests.gateway.page.taggers import HEADS

from polyseme.client import Client

SENTENCES = ["🙂 john smith went to the cafe\u0301 of new york", TEXTS[1], LONG]


def ask(gateway, **fields):
    return gateway.ask("/page/entities", {"sentences": SENTENCES, **fields})


@pytest.mark.parametrize("head", HEADS)
def test_entities_are_those_of_the_head_in_utf16_units(tagging_gateway, tagging_server, head):
    found = ask(tagging_gateway, head=head).json["sentences"]
    with Client(tagging_server.target, timeout=300) as client:
        wanted = client.entities(SENTENCES, head=head, aggregation="first", long_texts="windows")
    for sentence, text, want in zip(SENTENCES, found, wanted, strict=True):
        assert text["windows"] == want.info.windows
        coded = sentence.encode("utf-16-le")
        assert [
            (coded[2 * one["start"] : 2 * one["end"]].decode("utf-16-le"), one["group"]) for one in text["entities"]
        ] == [(one.text, one.group) for one in want.entities]
        # 5e-4 for three digits, and as much again for the batches that differ
        assert [one["score"] for one in text["entities"]] == pytest.approx(
            [one.score for one in want.entities], abs=1e-3
        )
    assert any(text["entities"] for text in found) == (head != "silent")
    assert [text["windows"] > 1 for text in found] == [False, True, True]


def test_the_head_that_is_asked_for_finds_them(tagging_gateway):
    one, swapped = (ask(tagging_gateway, head=head).json["sentences"][0]["entities"] for head in HEADS[:2])
    other = {"PER": "LOC", "LOC": "PER"}
    assert [found["group"] for found in swapped] == [other[found["group"]] for found in one]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 400, "head is not set, and tagger has 3"),
        ({"head": "nobody"}, 400, "tagger has no head"),
        ({"head": 1}, 400, "head is not a string of at most 1024"),
        ({"model": "tiny"}, 400, "tiny has no head that labels tokens"),
        ({"model": "nobody"}, 404, "nobody"),
        ({"start": 1}, 400, "known are sentences, model, head"),
    ],
)
def test_what_is_wrong_is_told(tagging_gateway, fields, status, words):
    found = ask(tagging_gateway, **fields)
    assert found.status == status
    assert words in found.error["message"]
