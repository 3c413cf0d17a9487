"""Answer GET /healthz: whether the server behind the gateway takes calls."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from polyseme.client import AsyncClient, HealthStatus, PolysemeError
from polyseme.gateway.requests import Arrived, json_response

_SERVICE: Final = "polyseme.v1.EmbeddingService"
_PATIENCE_S: Final = 2.0


class Health:
    """The endpoint of health."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def healthz(self, arrived: Arrived) -> Response:
        """Answer 200 where the server takes calls, else 503; no key is needed."""
        try:
            status = await self._client.health(_SERVICE, timeout=min(_PATIENCE_S, arrived.seconds_left))
        except PolysemeError:
            return json_response({"status": "UNREACHABLE"}, status=503)
        return json_response({"status": status.name}, status=200 if status is HealthStatus.SERVING else 503)
