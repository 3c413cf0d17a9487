"""What is done around every call, once: decode, admit, set the deadline, run, translate errors, count.

Methods are wrapped from the service descriptors, so that one place owns the statuses of the whole contract. grpcio
itself would answer undecodable protobuf with UNKNOWN and the name of a Python class.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import grpc
from google.protobuf import duration_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from polyseme.server.errors import (
    DeadlineExpiredError,
    EngineError,
    InvalidInputError,
    NotReadyError,
    QueueFullError,
    ServerError,
)

log = logging.getLogger(__name__)

_QUIET_S = 0.1  # longer than a reply and the next request of the same caller take
Trailers = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a method needs to know of its call.

    Attributes:
        started: when the decoded request arrived; monotonic seconds.
        deadline: when the caller stops waiting; infinite where it set none.
    """

    started: float
    deadline: float

    def elapsed_s(self) -> float:
        """Seconds since the request arrived."""
        return time.monotonic() - self.started


Method = Callable[[Any, Call], Awaitable[Message]]


class CallObserver(Protocol):
    """Who wants to know of calls."""

    def call_done(self, method: str, code: str, seconds: float) -> None:
        """A call ended with a status."""


class Gate:
    """Whether calls are let in: while the server is ready, and not more at once than configured.

    Attributes:
        closed_because: why no call is let in; empty while the gate is open.
        calls: how many are under way.
    """

    def __init__(self, max_concurrent_calls: int) -> None:
        self.closed_because = "starting: the model is being loaded"
        self.calls = 0
        self._limit = max_concurrent_calls
        self._last_arrival = -math.inf

    def open(self) -> None:
        """Let calls in."""
        self.closed_because = ""

    def close(self, reason: str) -> None:
        """Let no more calls in; those under way go on."""
        self.closed_because = reason

    async def wait_until_quiet(self, timeout_s: float) -> None:
        """Return when no call is under way and none has come for a while, or the time is up."""
        end = time.monotonic() + timeout_s
        while (now := time.monotonic()) < end and (self.calls or now < self._last_arrival + _QUIET_S):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def enter(self) -> None:
        """Count a call that arrives; every one of them must `leave`."""
        self._last_arrival = time.monotonic()
        self.calls += 1

    def leave(self) -> None:
        """Count a call that has ended."""
        self.calls -= 1

    def check(self) -> None:
        """Raise where a call may not come in.

        Raises:
            NotReadyError: the server is starting or draining.
            QueueFullError: too many calls are under way.
        """
        if self.closed_because:
            raise NotReadyError(self.closed_because)
        if self.calls > self._limit:
            raise QueueFullError(f"{self.calls - 1} calls are under way; limit {self._limit}", retry_after_s=1.0)


class _Undecodable:
    """Stands for a request whose bytes are not the message that the method takes."""


def generic_handler(
    service: ServiceDescriptor, methods: Mapping[str, Method], gate: Gate, observer: CallObserver
) -> grpc.GenericRpcHandler:
    """Wrap a service's methods for `Server.add_generic_rpc_handlers`. Methods left out answer UNIMPLEMENTED."""
    handlers = {
        descriptor.name: _handler(descriptor, methods[descriptor.name], gate, observer)
        for descriptor in service.methods
        if descriptor.name in methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def _handler(
    descriptor: MethodDescriptor, method: Method, gate: Gate, observer: CallObserver
) -> grpc.RpcMethodHandler[Any, Any]:
    request_class = message_factory.GetMessageClass(descriptor.input_type)

    def deserialize(data: bytes) -> Message | _Undecodable:
        try:
            return request_class.FromString(data)
        except DecodeError:
            return _Undecodable()

    async def answer(request: Message | _Undecodable, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        started, status = time.monotonic(), grpc.StatusCode.CANCELLED.name
        gate.enter()
        try:
            reply = await _answer(request, context, method, gate, started)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a panic in Rust is no Exception
            failure = _translated(error)
            status = failure.status
        else:
            status = grpc.StatusCode.OK.name
            return reply
        finally:
            # Before the status goes out: who has seen the answer can see the count.
            gate.leave()
            observer.call_done(descriptor.name, status, time.monotonic() - started)
        return await _abort(context, failure)

    return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=deserialize, response_serializer=_serialize)


async def _answer(
    request: Message | _Undecodable,
    context: grpc.aio.ServicerContext[Any, Any],
    method: Method,
    gate: Gate,
    started: float,
) -> Message:
    if isinstance(request, _Undecodable):
        raise InvalidInputError("the request is not valid protobuf of this method, or holds text that is not UTF-8")
    remaining = context.time_remaining()
    if remaining is not None and remaining <= 0:
        raise DeadlineExpiredError("deadline passed before the call arrived")
    gate.check()
    return await method(request, Call(started=started, deadline=math.inf if remaining is None else started + remaining))


def _translated(error: BaseException) -> ServerError:
    """What a caller is told of an exception; of one that nobody foresaw only its type: its message may hold text."""
    if isinstance(error, ServerError):
        return error
    return EngineError(type(error).__name__).with_traceback(error.__traceback__)


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: ServerError) -> NoReturn:
    """End a call with a status. INTERNAL tells the caller an id only; the log has the rest."""
    code, message, trailers = grpc.StatusCode[error.status], str(error), _trailers(error)
    if code is grpc.StatusCode.INTERNAL:
        incident = uuid.uuid4().hex[:12]
        log.error("incident %s: %s", incident, message, exc_info=error)
        message = f"internal error {incident}: the server's log has it under this id"
    await context.abort(code, message, trailers)
    raise AssertionError  # abort has raised


def _trailers(error: ServerError) -> Trailers:
    """When to come again, for people's code (google.rpc.RetryInfo) and for gRPC's own retries."""
    if not isinstance(error, QueueFullError):
        return ()
    delay = duration_pb2.Duration()
    delay.FromNanoseconds(int(error.retry_after_s * 1e9))
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message=str(error))
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("grpc-retry-pushback-ms", str(math.ceil(error.retry_after_s * 1e3))),
    )


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
