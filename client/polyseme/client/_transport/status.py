"""Translate a gRPC status to an error of the SDK; only this module reads grpc's exceptions and codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import grpc

from polyseme.client._convert.indices import checked_field
from polyseme.client._transport.connecting import reason
from polyseme.client._transport.details import request_id, retry_after, wrong_field
from polyseme.client._transport.rpc import no_reply_within
from polyseme.client.errors import (
    CancelledError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    MessageTooLargeError,
    NotFoundError,
    PermissionDeniedError,
    PolysemeError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)
from polyseme.v1 import embedding_service_pb2 as service_pb2

BY_CODE: Final[Mapping[grpc.StatusCode, type[PolysemeError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgumentError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.CANCELLED: CancelledError,
    grpc.StatusCode.UNIMPLEMENTED: UnimplementedError,
    grpc.StatusCode.INTERNAL: InternalError,
}
# gRPC core uses one code for a full server and for a message over the limit; only its words differ.
_TOO_LARGE: Final = "message larger than max"
# A proxy that loses its server while a reply comes resets the stream; the core then says INTERNAL, and these words.
_CUT: Final = "Received RST_STREAM"
_OF_CONNECTIONS: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_CODES: Final[Mapping[int, grpc.StatusCode]] = {code.value[0]: code for code in grpc.StatusCode}


def error_from_status(
    failure: grpc.RpcError,
    target: str,
    path: str = "",
    *,
    proxy: str = "",
    timeout: float | None = None,
    tls: bool = False,
) -> PolysemeError:
    """Translate the exception of grpc or grpc.aio for a call of /package.Service/Method.

    Unknown codes become InternalError, and a reply that a proxy has cut UnavailableError. An error of a connection
    names the proxy on the way, and says in plain words what TLS has to do with it; that of a timeout says how long
    it was.
    """
    status = cast("Any", failure)  # both of grpc's error types have these methods, their base class does not
    code: grpc.StatusCode = status.code()
    details: str = status.details() or ""
    if code is grpc.StatusCode.UNIMPLEMENTED and path:
        details = f"the server does not have {path}, it is older than the SDK or no Polyseme server: {details}"
    if code is grpc.StatusCode.UNAVAILABLE and (plain := reason(details, tls=tls)):
        details = f"{plain}: {details}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and timeout is not None:
        details = ": ".join(filter(None, (no_reply_within(timeout), details.replace("Deadline Exceeded", ""))))
    if proxy and code in _OF_CONNECTIONS:
        details = f"{details} (by way of {proxy}; no_proxy names hosts without one)".lstrip()
    error = _error(code, details, target)
    trailers = status.trailing_metadata() or ()
    error.field = wrong_field(trailers)
    error.request_id = request_id(trailers)
    if isinstance(error, ResourceExhaustedError):
        error.retry_after = retry_after(trailers)
    return error


def error_from_stream(failure: service_pb2.StreamError, target: str) -> PolysemeError:
    """Translate the error of one request of a stream."""
    error = _error(_CODES.get(failure.code, grpc.StatusCode.UNKNOWN), failure.message, target)
    error.field = checked_field(failure.field)
    error.request_id = failure.request_id or None
    if isinstance(error, ResourceExhaustedError) and failure.retry_after_ms:
        error.retry_after = failure.retry_after_ms / 1000
    return error


def _error(code: grpc.StatusCode, details: str, target: str) -> PolysemeError:
    kind = BY_CODE.get(code, InternalError)
    if kind is ResourceExhaustedError and _TOO_LARGE in details:
        kind = MessageTooLargeError
    if kind is InternalError and _CUT in details:
        kind = UnavailableError
    named = code in BY_CODE and details
    return kind(f"{target}: {details if named else f'{code.name} {details}'.strip()}", code=code, target=target)
