"""Exceptions become gRPC statuses: a code, one line, the field that is wrong, and when to come again."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf import duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from polyseme.server.errors import EngineError, FieldPath, InvalidInputError, QueueFullError, ServerError, spelled
from polyseme.server.observe.exceptions import redacted

log = logging.getLogger(__name__)

Trailers = tuple[tuple[str, str | bytes], ...]

_MOST_DESCRIPTION: Final = 3072  # bytes of UTF-8: with the field's name less than the 4 KB that headers hold


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus:
    """The status of a call that failed.

    Attributes:
        code: the status code.
        message: one line; it holds no part of a text.
        path: the field of the request that is wrong; empty where no single one is.
        retry_after_s: when to come again; 0: do not.
    """

    code: grpc.StatusCode
    message: str
    path: FieldPath = ()
    retry_after_s: float = 0.0


def status_of(error: BaseException, request_id: str) -> CallStatus:
    """Give the status of an error; where several tasks failed, that of the first error.

    INTERNAL tells the caller nothing but the id of its call; the log has the rest.
    """
    first = _first(error)
    failure = _translated(first)
    code, message = grpc.StatusCode[failure.status], str(failure)
    if code is grpc.StatusCode.INTERNAL:
        log.error("request %s: %s", request_id, message, exc_info=redacted(first))
        message = f"internal error {request_id}: the server's log has it under this id"
    return CallStatus(
        code=code,
        message=message,
        path=failure.path if isinstance(failure, InvalidInputError) else (),
        retry_after_s=failure.retry_after_s if isinstance(failure, QueueFullError) else 0.0,
    )


def trailers(status: CallStatus) -> Trailers:
    """Make the trailers of a status: the wrong field (google.rpc.BadRequest), when to retry (RetryInfo, pushback)."""
    if status.path:
        description = status.message.encode()[:_MOST_DESCRIPTION].decode(errors="ignore")
        violation = error_details_pb2.BadRequest.FieldViolation(field=spelled(status.path), description=description)
        return (_details(status, error_details_pb2.BadRequest(field_violations=[violation])),)
    if status.retry_after_s:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(status.retry_after_s * 1e9))
        pushback = str(math.ceil(status.retry_after_s * 1e3))
        return (
            _details(status, error_details_pb2.RetryInfo(retry_delay=delay)),
            ("grpc-retry-pushback-ms", pushback),
        )
    return ()


def _details(status: CallStatus, detail: Message) -> tuple[str, bytes]:
    message = status_pb2.Status(code=status.code.value[0], message=status.message)
    message.details.add().Pack(detail)
    return "grpc-status-details-bin", message.SerializeToString()


def _translated(error: BaseException) -> ServerError:
    """Translate an exception to an error of the server; of an unforeseen one only its type, as it may quote text."""
    if isinstance(error, ServerError):
        return error
    return EngineError(type(error).__name__)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
