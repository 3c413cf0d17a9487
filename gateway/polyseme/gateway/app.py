"""The routes of a gateway."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyseme.client import AsyncClient
from polyseme.gateway.config import GatewayConfig
from polyseme.gateway.errors import HttpError
from polyseme.gateway.health import Health
from polyseme.gateway.hosts import AllowedHosts, AllowedHostsOnly
from polyseme.gateway.openai.endpoints import OpenAI
from polyseme.gateway.openapi import openapi_document
from polyseme.gateway.page.entities import Entities
from polyseme.gateway.page.files import FILES, answer_with
from polyseme.gateway.page.spans import Spans
from polyseme.gateway.page.words import Words
from polyseme.gateway.requests import Arrived, Requests, json_response


def make_app(client: AsyncClient, config: GatewayConfig) -> Starlette:
    """Make the application that answers for a server, by way of a client of it."""
    requests, openai, health = Requests(config), OpenAI(client, config), Health(client)
    document = openapi_document(config)

    async def openapi(_: Arrived) -> Response:
        return json_response(document)

    allowed = AllowedHosts(config.allowed_hosts, own=config.host)
    return Starlette(
        middleware=[Middleware(AllowedHostsOnly, allowed=allowed)],
        routes=[
            Route("/v1/embeddings", requests.endpoint(openai.embeddings), methods=["POST"]),
            Route("/v1/models", requests.endpoint(openai.models)),
            Route("/v1/models/{name:path}", requests.endpoint(openai.model)),
            Route("/openapi.json", requests.endpoint(openapi)),
            Route("/page/words", requests.endpoint(Words(client).words), methods=["POST"]),
            Route("/page/spans", requests.endpoint(Spans(client).spans), methods=["POST"]),
            Route("/page/entities", requests.endpoint(Entities(client).entities), methods=["POST"]),
            *(Route(path, requests.endpoint(answer_with(name))) for path, name in FILES.items()),
            Route("/healthz", requests.endpoint(health.healthz, counted=False)),
        ],
        exception_handlers={HTTPException: _no_route},
    )


async def _no_route(_: Request, error: Exception) -> Response:
    """Answer a request that no route takes."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = "this method is not allowed here" if status == 405 else "there is nothing here; /openapi.json has it all"
    headers = dict(getattr(error, "headers", None) or {})
    return json_response(HttpError(status, message).body(), status=status, headers=headers)
