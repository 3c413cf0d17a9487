"""The OpenAPI document against what the gateway does."""

import pytest

from polyseme.gateway.config import GatewayConfig
from polyseme.gateway.openai.request import _FIELDS
from polyseme.gateway.openapi import openapi_document


@pytest.fixture(scope="module")
def document(gateway):
    answered = gateway.ask("/openapi.json")
    assert answered.status == 200
    return answered.json


def schema(document, reference):
    name = reference.removeprefix("#/components/schemas/")
    return document["components"]["schemas"][name]


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from references(each)


def test_every_reference_is_resolved_and_every_schema_is_used(document):
    named = {reference.removeprefix("#/components/schemas/") for reference in references(document)}
    assert named == document["components"]["schemas"].keys()


def test_fields_and_limits_are_those_of_the_request(document):
    request = schema(document, "EmbeddingsRequest")
    assert list(request["properties"]) == list(_FIELDS)
    assert request["properties"]["input"]["oneOf"][1]["maxItems"] == 1030
    assert openapi_document(GatewayConfig())["components"]["schemas"]["EmbeddingsRequest"]["properties"]["input"][
        "oneOf"
    ][1]["maxItems"] == GatewayConfig().max_inputs  # fmt: skip


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/v1/models", "/v1/models", 200),
        ("/v1/models/tiny", "/v1/models/{name}", 200),
        ("/v1/models/other", "/v1/models/{name}", 404),
        ("/healthz", "/healthz", 200),
    ],
)
def test_answers_have_the_fields_that_are_told(gateway, document, path, route, status):
    answered = gateway.ask(path)
    told = document["paths"][route]["get"]["responses"][str(status)]["content"]["application/json"]["schema"]
    assert answered.status == status
    assert answered.json.keys() == schema(document, told["$ref"])["properties"].keys()


def test_embeddings_have_the_fields_that_are_told(gateway, document):
    told = schema(document, "Embeddings")["properties"]
    body = gateway.embed("a").json
    assert body.keys() == told.keys()
    assert body["data"][0].keys() == told["data"]["items"]["properties"].keys()
    assert body["usage"].keys() == told["usage"]["properties"].keys()


def test_every_path_is_there(gateway, document):
    for path, methods in document["paths"].items():
        for method in methods:
            assert gateway.ask(path.replace("{name}", "tiny"), method=method.upper()).status not in (404, 405)
