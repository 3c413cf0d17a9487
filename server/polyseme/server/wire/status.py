"""From exceptions to what a caller is told: a gRPC status, one line, and when to come again."""

from __future__ import annotations

import logging
import math
import uuid
from dataclasses import dataclass

import grpc
from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from polyseme.server.errors import EngineError, QueueFullError, ServerError

log = logging.getLogger(__name__)

Trailers = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a caller is told of a failure.

    Attributes:
        retry_after_s: when to come again; 0: do not.
    """

    code: grpc.StatusCode
    message: str
    retry_after_s: float = 0.0


def told(error: BaseException) -> Told:
    """What a caller is told; of errors of several tasks the first. INTERNAL tells an id only; the log has the rest."""
    failure = _translated(_first(error))
    code, message = grpc.StatusCode[failure.status], str(failure)
    if code is grpc.StatusCode.INTERNAL:
        incident = uuid.uuid4().hex[:12]
        log.error("incident %s: %s", incident, message, exc_info=failure)
        message = f"internal error {incident}: the server's log has it under this id"
    return Told(
        code=code,
        message=message,
        retry_after_s=failure.retry_after_s if isinstance(failure, QueueFullError) else 0.0,
    )


def _translated(error: BaseException) -> ServerError:
    """What a caller is told of an exception; of one that nobody foresaw only its type: its message may hold text."""
    if isinstance(error, ServerError):
        return error
    return EngineError(type(error).__name__).with_traceback(error.__traceback__)


def trailers(failure: Told) -> Trailers:
    """When to come again, for people's code (google.rpc.RetryInfo) and for gRPC's own retries."""
    if not failure.retry_after_s:
        return ()
    delay = duration_pb2.Duration()
    delay.FromNanoseconds(int(failure.retry_after_s * 1e9))
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message=failure.message)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("grpc-retry-pushback-ms", str(math.ceil(failure.retry_after_s * 1e3))),
    )


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
