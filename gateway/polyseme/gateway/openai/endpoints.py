"""Answer OpenAI's requests by calls of the SDK."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.responses import Response

from polyseme.client import AsyncClient, EmbedOptions, Model
from polyseme.gateway.bodies import parse_object
from polyseme.gateway.config import GatewayConfig
from polyseme.gateway.openai.request import Encoding, embeddings_request
from polyseme.gateway.requests import Arrived, json_response


class OpenAI:
    """The endpoints of OpenAI's protocol."""

    def __init__(self, client: AsyncClient, config: GatewayConfig) -> None:
        self._client = client
        self._config = config

    async def embeddings(self, arrived: Arrived) -> Response:
        """Answer POST /v1/embeddings; the header `polyseme-model` names the model with its version."""
        asked = embeddings_request(parse_object(arrived.request, arrived.body), self._config.max_inputs)
        options: EmbedOptions = {
            "model": asked.model,
            "dimensions": asked.dimensions,
            "truncate": asked.truncate,
            "prompt_name": asked.prompt_name,
            "timeout": arrived.seconds_left,
        }
        result = await self._client.embed_detailed(asked.texts, **options)
        tokens = sum(text.tokens for text in result.texts)
        content = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(encoded(result.embeddings, asked.encoding))
            ],
            "model": result.model.name,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return json_response(content, headers={"polyseme-model": f"{result.model.name}@{result.model.version}"})

    async def models(self, arrived: Arrived) -> Response:
        """Answer GET /v1/models."""
        models = await self._client.models(timeout=arrived.seconds_left)
        return json_response({"object": "list", "data": [_described(model) for model in models]})

    async def model(self, arrived: Arrived) -> Response:
        """Answer GET /v1/models/NAME, or NAME@VERSION."""
        name = arrived.request.path_params["name"]
        return json_response(_described(await self._client.model(name, timeout=arrived.seconds_left)))


def encoded(vectors: npt.NDArray[np.float32], encoding: Encoding) -> list[Any]:
    """Encode vectors [N, D] for JSON: as arrays of numbers, or their little-endian float32 in base64."""
    if encoding == "float":
        return list(np.ascontiguousarray(vectors))
    return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]


def _described(model: Model) -> dict[str, Any]:
    """Describe a model: OpenAI's fields, of which `created` says nothing here, then Polyseme's."""
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "polyseme",
        "version": model.identity.version,
        "dimensions": model.dimensions,
        "max_tokens": model.max_tokens,
        "prompts": sorted(model.prompts),
    }
