"""What is done around every call, once: decode, admit, set the deadline, run, end with a status, count.

Methods are wrapped from the service descriptors, so that one place owns the statuses of the whole contract. grpcio
itself would answer undecodable protobuf with UNKNOWN and the name of a Python class.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from polyseme.server.errors import DeadlineExpiredError, InvalidInputError, ServerError
from polyseme.server.lifecycle.admission import Gate
from polyseme.server.wire.status import told, trailers

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")


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

    def begun_now(self) -> Call:
        """The same for a message that has just arrived in a stream."""
        return replace(self, started=time.monotonic())


Method = Callable[[Any, Call], Awaitable[Message]]
# Requests, or why one could not be read; the call; where replies go.
StreamMethod = Callable[[AsyncIterator[Any], Call, Callable[[Any], Awaitable[None]]], Awaitable[None]]


class CallObserver(Protocol):
    """Who wants to know of calls."""

    def call_done(self, method: str, code: str, seconds: float) -> None:
        """A call ended with a status."""


class _Undecodable:
    """Stands for a request whose bytes are not the message that the method takes."""


def generic_handler(
    service: ServiceDescriptor,
    methods: Mapping[str, Method],
    gate: Gate,
    observer: CallObserver,
    streams: Mapping[str, StreamMethod] | None = None,
) -> grpc.GenericRpcHandler:
    """Wrap a service's methods for `Server.add_generic_rpc_handlers`. Methods left out answer UNIMPLEMENTED."""
    handlers = {}
    for descriptor in service.methods:
        door = _Door(descriptor, gate, observer)
        if descriptor.name in methods:
            handlers[descriptor.name] = door.unary(methods[descriptor.name])
        elif streams and descriptor.name in streams:
            handlers[descriptor.name] = door.stream(streams[descriptor.name])
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


@dataclass(frozen=True, slots=True)
class _Door:
    """What calls of one method pass on their way in and out."""

    method: MethodDescriptor
    gate: Gate
    observer: CallObserver

    def unary(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap a method that takes one message and gives one."""

        async def answer(request: Message | _Undecodable, context: Context) -> Message:
            async def body(call: Call) -> Message:
                if isinstance(request, _Undecodable):
                    raise _undecodable()
                return await method(request, call)

            return await self._pass(context, body)

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=_deserializer(self.method), response_serializer=_serialize
        )

    def stream(self, method: StreamMethod) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap a method that takes and gives any number of messages."""

        async def answer(_: object, context: Context) -> None:
            async def body(call: Call) -> None:
                reader = _Reader(context, self.gate)
                await method(reader.messages(), call, context.write)
                if reader.cut_off:  # what was read is answered; the rest has to go to another server
                    self.gate.check_open()

            await self._pass(context, body)

        return grpc.stream_stream_rpc_method_handler(
            answer, request_deserializer=_deserializer(self.method), response_serializer=_serialize
        )

    async def _pass(self, context: Context, body: Callable[[Call], Awaitable[T]]) -> T:
        """Admit a call, run its body, and turn what it raises into a status."""
        started, status = time.monotonic(), grpc.StatusCode.CANCELLED.name
        generation = self.gate.enter()
        try:
            result = await body(_admitted(context, self.gate, started))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a panic in Rust is no Exception
            failure = told(error)
            status = failure.code.name
        else:
            status = grpc.StatusCode.OK.name
            return result
        finally:
            # Before the status goes out: who has seen the answer can see the count.
            self.gate.leave(generation)
            self.observer.call_done(self.method.name, status, time.monotonic() - started)
        await context.abort(failure.code, failure.message, trailers(failure))
        raise AssertionError  # abort has raised


def _admitted(context: Context, gate: Gate, started: float) -> Call:
    remaining = context.time_remaining()
    if remaining is not None and remaining <= 0:
        raise DeadlineExpiredError("deadline passed before the call arrived")
    if gate.tokens.needed:
        gate.tokens.check(context.invocation_metadata())
    gate.check()
    return Call(started=started, deadline=math.inf if remaining is None else started + remaining)


class _Reader:
    """Reads a stream until its caller has sent the last message, or the gate is closed.

    Attributes:
        cut_off: whether the gate was closed before the last message.
    """

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._closed = gate.closed
        self.cut_off = False

    async def messages(self) -> AsyncIterator[Message | ServerError]:
        """Messages, or why one cannot be read."""
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            while True:
                read = asyncio.ensure_future(self._context.read())
                await asyncio.wait((read, closed), return_when=asyncio.FIRST_COMPLETED)
                if not read.done():
                    self.cut_off = True
                    read.add_done_callback(lambda late: late.cancelled() or late.exception())  # ends with the call
                    return
                message = read.result()
                if message is grpc.aio.EOF:
                    return
                yield _undecodable() if isinstance(message, _Undecodable) else message
        finally:
            closed.cancel()


def _undecodable() -> InvalidInputError:
    return InvalidInputError("the request is not valid protobuf of this method, or holds text that is not UTF-8")


def _deserializer(method: MethodDescriptor) -> Callable[[bytes], Message | _Undecodable]:
    request_class = message_factory.GetMessageClass(method.input_type)

    def deserialize(data: bytes) -> Message | _Undecodable:
        try:
            return request_class.FromString(data)
        except DecodeError:
            return _Undecodable()

    return deserialize


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
