"""OpenAI's answers against those of the SDK, for the same texts of the same server."""

import base64

import numpy as np
import pytest

from polyseme.client import Client
from polyseme.gateway.openai.endpoints import encoded

TEXTS = ["we sat on the bank.", "i robbed the bank.", ""]


@pytest.fixture(scope="module")
def expected(server):
    with Client(server.target) as client:
        yield client.embed_detailed(TEXTS)


def vectors(answered):
    return [row["embedding"] for row in answered.json["data"]]


def from_base64(answered):
    return np.stack([np.frombuffer(base64.b64decode(row), "<f4") for row in vectors(answered)])


def test_vectors_are_those_of_grpc_to_the_bit_in_either_encoding(gateway, expected):
    for fields in ({}, {"encoding_format": "float"}):
        numbers = np.array(vectors(gateway.embed(TEXTS, **fields)), np.float32)
        assert numbers.tobytes() == expected.embeddings.tobytes()
    assert from_base64(gateway.embed(TEXTS, encoding_format="base64")).tobytes() == expected.embeddings.tobytes()


def test_an_answer_has_the_form_of_openai(gateway, expected):
    answered = gateway.embed(TEXTS, user="somebody", encoding_format="base64", model="")
    tokens = sum(text.tokens for text in expected.texts)
    body = answered.json
    assert (answered.status, answered.headers["content-type"]) == (200, "application/json")
    assert body.keys() == {"object", "data", "model", "usage"}
    assert [(row["object"], row["index"]) for row in body["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
        ("embedding", 2),
    ]
    assert (body["object"], body["model"]) == ("list", "tiny")
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert answered.headers["polyseme-model"] == f"tiny@{expected.model.version}"


def test_one_string_is_a_list_of_one(gateway):
    assert vectors(gateway.embed(TEXTS[0])) == vectors(gateway.embed([TEXTS[0]]))


def test_more_texts_than_one_call_takes_come_back_in_order(gateway, server):
    many = [f"text {number}" for number in range(1030)]
    with Client(server.target) as client:
        assert from_base64(gateway.embed(many, encoding_format="base64")) == pytest.approx(client.embed(many), abs=1e-5)


def test_dimensions_cut_vectors(gateway, server):
    with Client(server.target) as client:
        cut = client.embed(TEXTS, dimensions=5)
    assert from_base64(gateway.embed(TEXTS, dimensions=5, encoding_format="base64")).tobytes() == cut.tobytes()
    answered = gateway.embed(TEXTS, dimensions=33)
    assert (answered.status, answered.error["param"]) == (400, "dimensions")
    assert "33" in answered.error["message"]


def test_a_model_is_named_with_a_version_or_without(gateway, expected):
    for name in ("tiny", f"tiny@{expected.model.version}"):
        assert gateway.embed("a", model=name).json["model"] == "tiny"
    for name in ("text-embedding-3-small", "tiny@000000000000"):
        answered = gateway.embed("a", model=name)
        assert (answered.status, answered.error["code"]) == (404, "model_not_found")
        assert answered.error["type"] == "invalid_request_error"


def test_prompts_and_truncation_are_those_of_the_sdk(gateway, server):
    long = "a " * 200
    with Client(server.target) as client:
        cut = client.embed([long], truncate="start")
    assert from_base64(gateway.embed(long, truncate="start", encoding_format="base64")).tobytes() == cut.tobytes()
    assert gateway.embed("a", prompt_name="query").status == 200
    answered = gateway.embed("a", prompt_name="none such")
    assert (answered.status, answered.error["param"]) == (400, "prompt_name")


def test_a_text_that_is_too_long_is_named_as_the_body_names_it(gateway):
    answered = gateway.embed(["a", "a " * 200])
    assert (answered.status, answered.error["param"], answered.error["code"]) == (400, "input[1]", None)
    assert answered.error["message"].startswith("input[1] has 202 tokens; limit 128")
    assert gateway.embed(["a", "a" * 5000]).error["param"] == "input[1]"


def test_models_are_listed_and_described(gateway, expected):
    listed = gateway.ask("/v1/models").json
    assert (listed["object"], [model["id"] for model in listed["data"]]) == ("list", ["tiny"])
    (model,) = listed["data"]
    assert (model["object"], model["owned_by"], model["created"]) == ("model", "polyseme", 0)
    assert (model["version"], model["dimensions"], model["max_tokens"]) == (expected.model.version, 32, 128)
    for name in ("tiny", f"tiny@{expected.model.version}"):
        assert gateway.ask(f"/v1/models/{name}").json == model
    answered = gateway.ask("/v1/models/other")
    assert (answered.status, answered.error["code"]) == (404, "model_not_found")


def test_base64_is_little_endian_float32_whatever_the_machine():
    assert encoded(np.array([[1.0, -2.0]], ">f4"), "base64") == ["AACAPwAAAMA="]
