"""The steps around every call: name, admit, set the deadline, decode, run, encode, end with a status, count.

Methods are wrapped from the service descriptors, so that one place owns the statuses of the whole contract. Handlers
take and give bytes: grpcio itself would decode before a call is admitted, and would answer undecodable protobuf with
UNKNOWN and the name of a Python class.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from polyseme.server.errors import (
    DeadlineExpiredError,
    InvalidInputError,
    NotOfferedError,
    ServerError,
    UnauthenticatedError,
)
from polyseme.server.inference.stopwatch import Stopwatch
from polyseme.server.lifecycle.admission import Admission
from polyseme.server.memory.budget import Share
from polyseme.server.observe.calls import CallObserver, CallReport
from polyseme.server.observe.tracing import NoTracing, Tracing
from polyseme.server.scheduling import Origin
from polyseme.server.wire.calls.call import WORK_FACTOR, Call
from polyseme.server.wire.calls.reader import Reader
from polyseme.server.wire.calls.request_ids import HEADER, request_id_of
from polyseme.server.wire.calls.service import Method, Service, StreamMethod
from polyseme.server.wire.calls.status import status_of, trailers
from polyseme.server.wire.calls.transfers import ServicerContext, Transfers
from polyseme.server.wire.messages.intake import Intake

_OK: Final = grpc.StatusCode.OK.name
_CANCELLED: Final = grpc.StatusCode.CANCELLED.name
Identify: TypeAlias = Callable[[ServicerContext], str]
T = TypeVar("T")

_TRUNCATED: Final = "x-truncated-texts"
"""Trailing metadata: the number of texts that were cut, of which not every contract has a field that tells it."""
_NOT_TRACED: Final = NoTracing()
_CORE_ENDS_S: Final = 1.0  # seconds after its deadline; gRPC's core has ended a call by then


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The parts of the server that every call of a service meets.

    Attributes:
        admission: lets calls in.
        identify: names the caller of a call.
        observer: is told of calls that have ended.
        transfers: waits for requests, and counts replies until they are taken.
        tracing: traces calls.
    """

    admission: Admission
    identify: Identify
    observer: CallObserver
    transfers: Transfers
    tracing: Tracing = _NOT_TRACED


def generic_handler(service: Service, surroundings: Surroundings) -> grpc.GenericRpcHandler:
    """Wrap a service for `Server.add_generic_rpc_handlers`."""
    return _Handlers(service, surroundings)


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a call, before the first message of the call has been read.

    A call that may not come in is ended here, above all a stranger's: its messages are never taken from the network.
    """

    def __init__(self, service: Service, surroundings: Surroundings) -> None:
        self._admission = surroundings.admission
        self._adapters: dict[str, _Adapter] = {}
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        for descriptor in service.descriptor.methods:
            path = f"/{service.descriptor.full_name}/{descriptor.name}"
            intake = Intake(descriptor.input_type, service.bounds, surroundings.admission.large_requests)
            adapter = _Adapter(path, service.prefix + descriptor.name, intake, surroundings)
            self._adapters[path] = adapter
            if descriptor.name in service.methods:
                self._handlers[path] = adapter.unary(service.methods[descriptor.name])
            elif descriptor.name in service.streams:
                self._handlers[path] = adapter.stream(service.streams[descriptor.name])
        self._others = f"/{service.descriptor.full_name}/" if service.refuses_others else ""
        if self._others:
            # One name for all of them: their callers choose theirs, and metrics would keep each.
            self._adapters[self._others] = _Adapter(self._others, service.prefix + "other", intake, surroundings)
            self._handlers[self._others] = self._adapters[self._others].refusal(_not_offered(service))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Give the handler of a call; None: another service may have one."""
        path = handler_call_details.method
        if path not in self._handlers and self._others and path.startswith(self._others):
            path = self._others
        handler = self._handlers.get(path)
        if handler is None:
            return None
        try:
            self._admission.check_arrival(handler_call_details.invocation_metadata)
        except ServerError as error:
            return self._adapters[path].refusal(error)
        return handler


def _not_offered(service: Service) -> NotOfferedError:
    names = ", ".join(sorted([*service.methods, *service.streams]))
    return NotOfferedError(f"{service.descriptor.full_name} has no such method here; it has: {names}")


Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]


class _Adapter:
    """Wraps one method: admits its calls, decodes, runs, encodes, and ends each with a status."""

    def __init__(self, path: str, name: str, intake: Intake, surroundings: Surroundings) -> None:
        self._path = path
        self._name = name
        self._intake = intake
        self._admission = surroundings.admission
        self._identify = surroundings.identify
        self._observer = surroundings.observer
        self._transfers = surroundings.transfers
        self._tracing = surroundings.tracing

    def unary(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap a method that takes one message and gives one.

        To gRPC it takes a stream. So the message is received here, where the wait can end, and not before the method is
        called at all.
        """

        async def answer(_: object, context: ServicerContext) -> bytes:
            async def body(call: Call) -> bytes:
                self._admit(call)
                data = await self._transfers.receive(context)
                if data is grpc.aio.EOF:
                    raise InvalidInputError("no request was sent")
                call.started = time.monotonic()
                call.share.take(len(data) * WORK_FACTOR)
                reply = (await method(await self._intake.read(data), call)).SerializeToString()
                call.stopwatch.encoded()
                return reply

            reply = await self._pass(context, body)
            self._transfers.leave_to_core(len(reply))
            return reply

        return grpc.stream_unary_rpc_method_handler(answer)

    def stream(self, method: StreamMethod) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap a method that takes and gives any number of messages."""

        async def answer(_: object, context: ServicerContext) -> None:
            async def write(message: Message) -> None:
                await self._transfers.send(context, message.SerializeToString())

            async def body(call: Call) -> None:
                self._admit(call)
                reader = Reader(context, self._admission, self._intake, self._transfers)
                await method(reader.messages(), call, write)
                if reader.cut_off:  # requests that were read are answered; the others have to go to another server
                    self._admission.check_open()

            await self._pass(context, body)

        return grpc.stream_stream_rpc_method_handler(answer)

    def refusal(self, error: ServerError) -> grpc.RpcMethodHandler[Any, Any]:
        """Give a handler that ends a call without reading a message of it."""
        # A stranger's call leaves no trace: its metadata would decide what the collector gets.
        tracing = _NOT_TRACED if isinstance(error, UnauthenticatedError) else self._tracing

        async def body(_: Call) -> None:
            raise error

        async def answer(_: object, context: ServicerContext) -> None:
            await self._pass(context, body, tracing)

        return grpc.stream_stream_rpc_method_handler(answer)

    async def _pass(
        self, context: ServicerContext, body: Callable[[Call], Awaitable[T]], tracing: Tracing | None = None
    ) -> T:
        """Run the body of a call, and turn what it raises into a status."""
        call, code = self._arrived(context, tracing or self._tracing), _CANCELLED
        named = ((HEADER, call.origin.request_id),)
        context.set_trailing_metadata(named)
        generation = self._admission.enter(call.caller)
        try:
            result = await body(call)
            if call.usage.truncated:
                context.set_trailing_metadata((*named, (_TRUNCATED, str(call.usage.truncated))))
        except asyncio.CancelledError as error:
            # A TaskGroup's frame and this error hold each other; with it they would hold the call until they are found.
            raise error.with_traceback(None) from None
        except BaseException as error:  # a panic in Rust is no Exception
            status = status_of(error, call.origin.request_id)
            code = status.code.name
        else:
            code = _OK
            return result
        finally:
            # Before the status goes out, so that a caller with an answer finds it counted.
            call.share.give_back()
            self._admission.leave(generation, call.caller)
            self._report(call, code, context)
            call.trace.end(code, call.stopwatch.steps, call.origin.request_id)
        if call.deadline <= time.monotonic():
            # The core ends this call. A status that comes later reaches nobody, and grpcio never frees it.
            await asyncio.sleep(_CORE_ENDS_S)
        await context.abort(status.code, status.message, (*named, *trailers(status)))
        raise AssertionError  # abort has raised

    def _report(self, call: Call, code: str, context: ServicerContext) -> None:
        self._observer.call_done(
            CallReport(
                method=self._name,
                code=code,
                seconds=call.elapsed_s(),
                model=call.usage.model,
                texts=call.usage.texts,
                tokens=call.usage.tokens,
                peer=context.peer() if self._observer.wants_peers else "",
                request_id=call.origin.request_id,
            )
        )

    def _arrived(self, context: ServicerContext, tracing: Tracing) -> Call:
        started, remaining = time.monotonic(), context.time_remaining()
        metadata: Metadata = context.invocation_metadata() or ()
        trace = tracing.call(self._path, metadata, started)
        return Call(
            origin=Origin(request_id_of(metadata), trace.traceparent),
            started=started,
            deadline=math.inf if remaining is None else started + remaining,
            trace=trace,
            stopwatch=Stopwatch(),
            caller=self._identify(context),
            share=Share(self._admission.budget),
        )

    def _admit(self, call: Call) -> None:
        if call.deadline <= call.started:
            raise DeadlineExpiredError("deadline passed before the call arrived")
        self._admission.check(call.caller)
