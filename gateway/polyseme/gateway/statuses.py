"""Translate the errors of the SDK to those of HTTP. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from polyseme.client import (
    CancelledError,
    ClosedClientError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    InvalidReplyError,
    MessageTooLargeError,
    ModelChangedError,
    NotFoundError,
    PermissionDeniedError,
    PolysemeError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)
from polyseme.gateway.errors import HttpError


class _Status(NamedTuple):
    status: int
    kind: str = "invalid_request_error"
    code: str | None = None
    message: str = ""  # in place of the error's own, which names addresses behind the gateway


_AGAIN: Final = "no server is ready to answer; try again"
_STATUSES: Final[Mapping[type[PolysemeError], _Status]] = {
    InvalidArgumentError: _Status(400),
    FailedPreconditionError: _Status(400),
    UnauthenticatedError: _Status(401, "authentication_error", "invalid_api_key"),
    PermissionDeniedError: _Status(403, "permission_error"),
    NotFoundError: _Status(404, code="model_not_found"),
    MessageTooLargeError: _Status(413),
    ResourceExhaustedError: _Status(429, "rate_limit_error", "rate_limit_exceeded"),
    UnimplementedError: _Status(501, "server_error", message="the server behind this gateway does not know this call"),
    InternalError: _Status(500, "server_error"),
    InvalidReplyError: _Status(502, "server_error", message="the reply of the server cannot be read"),
    ModelChangedError: _Status(503, "server_error", message="the model was replaced meanwhile; try again"),
    UnavailableError: _Status(503, "server_error", message=_AGAIN),
    CancelledError: _Status(503, "server_error", message=_AGAIN),
    ClosedClientError: _Status(503, "server_error", message="the gateway is stopping; try again"),
    DeadlineExceededError: _Status(504, "server_error", "timeout", "no answer in time"),
}
_UNKNOWN: Final = _Status(500, "server_error", message="the gateway failed")
_RETRY_S: Final = 1.0  # where no server says when: the SDK's own retries, of 1.2 s, have failed before
_TEXTS: Final = re.compile(r"\btexts\b")
_OPTIONS: Final = "text_options."


def http_error(error: PolysemeError) -> HttpError:
    """Translate an error: its class gives the status, `retry_after` gives Retry-After, `field` gives `param`."""
    known = _STATUSES.get(type(error), _UNKNOWN)
    message = known.message or _in_words_of_http(str(error).removeprefix(f"{error.target}: "))
    param = _in_words_of_http(error.field) if error.field else None
    return HttpError(
        known.status, message, kind=known.kind, param=param, code=known.code, headers=_headers(error, known)
    )


def retry_headers(seconds: float) -> dict[str, str]:
    """Give the headers that say when to try again; `retry-after-ms` is read by OpenAI's own clients."""
    return {"retry-after": str(max(1, math.ceil(seconds))), "retry-after-ms": str(math.ceil(seconds * 1000))}


def _headers(error: PolysemeError, known: _Status) -> dict[str, str]:
    match known.status:
        case 401:
            return {"www-authenticate": "Bearer"}
        case 429:
            seconds = error.retry_after if isinstance(error, ResourceExhaustedError) else None
            return retry_headers(_RETRY_S if seconds is None else seconds)
        case 503:
            return retry_headers(_RETRY_S)
        case _:
            return {}


def _in_words_of_http(words: str) -> str:
    """Name the fields as the body of the request does: `texts` is `input` there."""
    return _TEXTS.sub("input", words).replace(_OPTIONS, "")
