"""Encode and decode the two messages of the standard health check, grpc.health.v1, of one field each."""

from __future__ import annotations

import enum
from typing import Final

from polyseme.client._convert import wire as _wire
from polyseme.client.errors import InvalidReplyError

CHECK: Final = "/grpc.health.v1.Health/Check"


class HealthStatus(enum.Enum):
    """The health of a server or of one of its services. Source: grpc/health/v1/health.proto."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


def health_request(service: str) -> bytes:
    """Encode HealthCheckRequest: 1 service."""
    return _wire.length_delimited(1, service.encode()) if service else b""


def health_status(reply: bytes) -> HealthStatus:
    """Decode HealthCheckResponse: 1 status.

    Raises:
        InvalidReplyError: the reply is not such a message.
    """
    try:
        return HealthStatus(dict(_wire.fields(reply)).get(1, 0))
    except ValueError as error:
        raise InvalidReplyError(f"health reply of {len(reply)} bytes cannot be decoded: {error}") from None
