import pytest
from tests.server.running import CANARY

from polyseme.gateway.errors import HttpError
from polyseme.gateway.openai.request import EmbeddingsRequest, embeddings_request


def test_what_is_left_out_has_a_default():
    expected = EmbeddingsRequest(
        texts=["a"], model=None, encoding="float", dimensions=None, prompt_name=None, truncate="none"
    )
    assert embeddings_request({"input": "a"}, 1) == expected
    nulls = dict.fromkeys(("model", "encoding_format", "dimensions", "user", "prompt_name", "truncate"))
    assert embeddings_request({"input": ["a"], **nulls}, 1) == expected


def test_what_is_given_is_taken():
    given = {
        "input": ["a", ""],
        "model": "m@1",
        "encoding_format": "base64",
        "dimensions": 7,
        "prompt_name": "query",
        "truncate": "end",
        "user": {"any": "thing"},
    }
    assert embeddings_request(given, 2) == EmbeddingsRequest(
        texts=["a", ""], model="m@1", encoding="base64", dimensions=7, prompt_name="query", truncate="end"
    )


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({}, "input", "input is null; a string or an array of strings"),
        ({"input": {CANARY: 1}}, "input", "input is an object"),
        ({"input": []}, "input", "input is empty"),
        ({"input": ["a"] * 4}, "input", "input has 4 strings; limit 3 (--max-inputs)"),
        ({"input": [CANARY, None]}, "input[1]", "input[1] is null"),
        ({"input": [CANARY, True]}, "input[1]", "input[1] is a boolean"),
        ({"input": [1, 2]}, "input", "token ids are not taken"),
        ({"input": [[1], [2]]}, "input", "input[0] is an array: token ids are not taken"),
        ({"input": [[]]}, "input", "check_embedding_ctx_length=False"),
        ({"input": CANARY, "model": 3}, "model", "model is not a string"),
        ({"input": CANARY, "model": CANARY * 100}, "model", "model is not a string of at most 1024 characters"),
        ({"input": CANARY, "encoding_format": CANARY}, "encoding_format", "one of float and base64"),
        ({"input": CANARY, "encoding_format": []}, "encoding_format", "one of float and base64"),
        ({"input": CANARY, "dimensions": 0}, "dimensions", "an integer from 1 on"),
        ({"input": CANARY, "dimensions": True}, "dimensions", "an integer from 1 on"),
        ({"input": CANARY, "dimensions": 1.0}, "dimensions", "an integer from 1 on"),
        ({"input": CANARY, "dimensions": 1 << 40}, "dimensions", "an integer from 1 on"),
        ({"input": CANARY, "truncate": CANARY}, "truncate", "one of none, end, start"),
        ({"input": CANARY, "prompt_name": [CANARY]}, "prompt_name", "prompt_name is not a string"),
        ({"input": CANARY, CANARY: 1}, None, "a field that is not known; known are input, model"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not_repeated(body, param, words):
    with pytest.raises(HttpError) as refused:
        embeddings_request(body, 3)
    assert (refused.value.status, refused.value.param) == (400, param)
    assert words in str(refused.value)
    assert CANARY not in str(refused.value)
