"""What the page asks about, as JSON has it."""

import pytest
from tests.server.running import CANARY

from polyseme.gateway.errors import HttpError
from polyseme.gateway.page.request import MAX_CHARACTERS, integer_in, sentences_request


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
        ({"sentences": [CANARY], "model": 1}, "model is not a string of at most 1024 characters"),
        ({"sentences": [CANARY], CANARY: 1}, "a field that is not known; known are sentences, model"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(body, words):
    with pytest.raises(HttpError) as refused:
        sentences_request(body)
    assert refused.value.status == 400
    assert words in str(refused.value)
    assert CANARY not in str(refused.value)


def test_an_empty_name_is_none():
    found = sentences_request({"sentences": [" a "], "model": "", "head": "b"}, "head")
    assert (found.sentences, found.model) == ([" a "], None)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "start is null; an integer from 0 to 3"),
        (True, "start is a boolean"),
        (1.0, "start is a number; an integer"),
        (-1, "start is -1; an integer from 0 to 3"),
        (4, "start is 4"),
    ],
)
def test_integers_lie_within_their_limits(value, words):
    with pytest.raises(HttpError) as refused:
        integer_in({"start": value}, "start", limit=3)
    assert words in str(refused.value)
    assert refused.value.body()["error"]["param"] == "start"
    assert [integer_in({"start": value}, "start", limit=3) for value in (0, 3)] == [0, 3]
