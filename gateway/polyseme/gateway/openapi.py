"""The OpenAPI document of a gateway. Pure."""

from __future__ import annotations

from typing import Any, Final

from polyseme.gateway.config import GatewayConfig

_ERRORS: Final = {
    "400": "a field is wrong; `param` names it",
    "401": "the server asks for a key, and got none or a wrong one",
    "404": "no such model",
    "408": "the body did not arrive in time",
    "413": "the body is too large",
    "415": "the body is not said to be JSON",
    "421": "the header host names no host of the gateway",
    "429": "the server or the gateway is full; Retry-After says when to try again",
    "500": "a fault; the header x-request-id is in the log",
    "503": "no server is ready; Retry-After says when to try again",
    "504": "no answer in time",
}


def openapi_document(config: GatewayConfig) -> dict[str, Any]:
    """Describe the routes of a gateway with these limits."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Polyseme gateway", "version": "1", "description": "OpenAI's embeddings, by Polyseme."},
        "security": [{}, {"key": []}],
        "paths": {
            "/v1/embeddings": {"post": _embeddings()},
            "/v1/models": {"get": _get("Models", "The models of the server.", "ModelList", "401", "503")},
            "/v1/models/{name}": {
                "get": {
                    **_get("Model", "One model: NAME or NAME@VERSION.", "Model", "401", "404", "503"),
                    "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
                }
            },
            "/healthz": {
                "get": {
                    "summary": "Whether the server takes calls",
                    "operationId": "healthz",
                    "security": [],
                    "responses": {"200": _json("it does", "Health"), "503": _json("it does not", "Health")},
                }
            },
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "a token of the server"}},
            "schemas": _schemas(config),
        },
    }


def _embeddings() -> dict[str, Any]:
    return {
        "summary": "Embed texts",
        "operationId": "embeddings",
        "requestBody": {"required": True, **_content("EmbeddingsRequest")},
        "responses": {"200": _json("a vector for each text, in their order", "Embeddings"), **_errors(*_ERRORS)},
    }


def _get(name: str, summary: str, schema: str, *errors: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "operationId": name[:1].lower() + name[1:],
        "responses": {"200": _json(summary, schema), **_errors(*errors)},
    }


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: _json(_ERRORS[status], "Error") for status in statuses}


def _json(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, **_content(schema)}


def _content(schema: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"type": "object", "required": required, "properties": properties}


def _text(description: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"type": "string", **({"description": description} if description else {}), **more}


def _schemas(config: GatewayConfig) -> dict[str, Any]:
    count = {"type": "integer", "minimum": 0}
    texts = {"type": "array", "items": _text(), "minItems": 1, "maxItems": config.max_inputs}
    nullable = {"type": ["string", "null"]}
    vector = {
        "oneOf": [
            {"type": "array", "items": {"type": "number"}},
            _text("little-endian float32 in base64", contentEncoding="base64"),
        ]
    }
    model = _object(
        ["id", "object", "created", "owned_by"],
        id=_text(),
        object={"const": "model"},
        created={"const": 0},
        owned_by={"const": "polyseme"},
        version=_text("changes with any byte of the model"),
        dimensions=count,
        max_tokens=count,
        prompts={"type": "array", "items": _text()},
    )
    return {
        "EmbeddingsRequest": {
            **_object(
                ["input"],
                input={"oneOf": [_text(), texts], "description": "texts; token ids are refused"},
                model=_text("NAME or NAME@VERSION; left out or empty: the server's default model"),
                encoding_format={"enum": ["float", "base64"], "default": "float"},
                dimensions={"type": "integer", "minimum": 1, "description": "leading elements to keep"},
                user=_text("ignored"),
                prompt_name=_text("the model's prompt to put before each text; not in OpenAI's protocol"),
                truncate={
                    "enum": ["none", "end", "start"],
                    "default": "none",
                    "description": "the end at which to cut long texts; none: refuse them; not in OpenAI's protocol",
                },
            ),
            "additionalProperties": False,
        },
        "Embeddings": _object(
            ["object", "data", "model", "usage"],
            object={"const": "list"},
            data={
                "type": "array",
                "items": _object(
                    ["object", "index", "embedding"], object={"const": "embedding"}, index=count, embedding=vector
                ),
            },
            model=_text(),
            usage=_object(["prompt_tokens", "total_tokens"], prompt_tokens=count, total_tokens=count),
        ),
        "ModelList": _object(
            ["object", "data"],
            object={"const": "list"},
            data={"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
        ),
        "Model": model,
        "Health": _object(["status"], status=_text()),
        "Error": _object(
            ["error"],
            error=_object(
                ["message", "type", "param", "code"], message=_text(), type=_text(), param=nullable, code=nullable
            ),
        ),
    }
