"""The only owner of OpenTelemetry: calls, their steps and batches become spans, which leave over OTLP.

Spans of steps and batches are made afterwards, from the times that were taken anyway. No attribute holds any part of a
request; numbers, names of methods and models, and the request's id are all there is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer

from polyseme.server.observe.tracing import EXPORT_FAILED, QUEUE_FULL, UNTRACED, Metadata, SpanCounter, Step, Trace
from polyseme.server.scheduling import BatchReport, Observer

log = logging.getLogger(__name__)

_QUEUE: Final = 2048  # spans that may wait; OpenTelemetry's own default
_CLOSE_S: Final = 2.0  # seconds to send the spans that are left when the server stops
# gRPC's status codes, in the order of their numbers; and a server's errors, by OpenTelemetry's semantic conventions.
_CODES: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_ERRORS: Final = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class OpenTelemetry:
    """Traces one server as the OTEL_ variables say; see `Tracing`."""

    def __init__(self, counter: SpanCounter) -> None:
        """Begin.

        Args:
            counter: counts spans.

        Raises:
            Exception: a variable holds what OpenTelemetry cannot read.
        """
        self._exporter = _Exporter(OTLPSpanExporter(), counter)
        self._outbox = _Outbox(self._exporter, counter, int(os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE) or _QUEUE))
        calls = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        # A batch is recorded where one of its calls is: the sampler has decided when the call came.
        batches = TracerProvider(resource=_resource(), shutdown_on_exit=False, sampler=ALWAYS_ON)
        for provider in (calls, batches):
            provider.add_span_processor(self._outbox)
        self._calls, self._batches = calls.get_tracer("polyseme"), batches.get_tracer("polyseme")
        self._headers = propagate.get_global_textmap().fields

    def call(self, path: str, metadata: Metadata, started: float) -> Trace:
        """Begin the span of a call, below the caller's."""
        carrier = {key: value for key, value in metadata if key in self._headers and isinstance(value, str)}
        service, _, method = path[1:].partition("/")
        clock = _Clock()
        span = self._calls.start_span(
            path[1:],
            context=propagate.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
            start_time=clock.epoch_ns(started),
        )
        return _Call(self._calls, span, clock) if span.is_recording() else UNTRACED

    def batches(self, model: str, version: str, observer: Observer) -> Observer:
        """Trace the batches of a model."""
        return _Batches(self._batches, {"polyseme.model": model, "polyseme.version": version}, observer)

    async def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        # Threads that a process which ends does not wait for: a collector may never answer.
        closing = threading.Thread(target=self._outbox.shutdown, name="tracing-close", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _CLOSE_S)
        if closing.is_alive():
            threading.Thread(target=self._exporter.shutdown, name="tracing-end", daemon=True).start()
            await asyncio.to_thread(closing.join, _CLOSE_S)
        if left := self._outbox.held:
            log.warning("%d spans were not sent: the collector took too long", left)


class _Clock:
    """Tells the time of day of times of the monotonic clock: one for all spans of a call, so that they fit together."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def epoch_ns(self, monotonic_s: float) -> int:
        """Give the nanoseconds since 1970."""
        return self._offset_ns + int(monotonic_s * 1e9)


class _Call:
    """The span of a call, or of a request within a stream."""

    def __init__(self, tracer: Tracer, span: Span, clock: _Clock) -> None:
        self._tracer = tracer
        self._span = span
        self._clock = clock
        self._context = trace.set_span_in_context(span)
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def request(self, started: float) -> Trace:
        span = self._tracer.start_span("request", self._context, start_time=self._clock.epoch_ns(started))
        return _Call(self._tracer, span, self._clock)

    def end(self, code: str, steps: Sequence[Step], request_id: str) -> None:
        at = self._clock.epoch_ns
        for name, started, ended in steps:
            self._tracer.start_span(name, self._context, start_time=at(started)).end(at(ended))
        self._span.set_attributes({"rpc.grpc.status_code": _CODES.index(code), "polyseme.request_id": request_id})
        if code in _ERRORS:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(at(time.monotonic()))


class _Batches:
    """An observer of batches: makes a span of each that has texts of a traced call."""

    def __init__(self, tracer: Tracer, attributes: dict[str, str], observer: Observer) -> None:
        self._tracer = tracer
        self._attributes = attributes
        self._observer = observer

    def batch_done(self, report: BatchReport) -> None:
        self._observer.batch_done(report)
        if not report.traceparents:
            return
        counts = {
            "polyseme.texts": report.texts,
            "polyseme.tokens": report.tokens,
            "polyseme.padded_tokens": report.padded_tokens,
        }
        at = _Clock().epoch_ns
        span = self._tracer.start_span(
            "batch",
            attributes={**self._attributes, **counts},
            links=[Link(_span_context(one)) for one in report.traceparents],
            start_time=at(report.started),
        )
        span.end(at(report.started + report.run_s))


class _Exporter(SpanExporter):
    """Counts what an exporter makes of the spans that it is given.

    Attributes:
        done: how many it has been done with; written by one thread at a time.
    """

    def __init__(self, exporter: SpanExporter, counter: SpanCounter) -> None:
        self._exporter = exporter
        self._counter = counter
        self.done = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self.done += len(spans)
            if result is SpanExportResult.SUCCESS:
                self._counter.spans_exported(len(spans))
            else:
                self._counter.spans_dropped(EXPORT_FAILED, len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Outbox(BatchSpanProcessor):
    """Ended spans on their way to the exporter's thread. What finds no room is dropped and counted: nobody waits."""

    def __init__(self, exporter: _Exporter, counter: SpanCounter, room: int) -> None:
        super().__init__(exporter, max_queue_size=room)
        self._done = exporter
        self._counter = counter
        self._room = room
        self._taken = 0  # written by the event loop alone

    @property
    def held(self) -> int:
        """Number of spans that are here, or in the exporter's hands."""
        return self._taken - self._done.done

    def on_end(self, span: ReadableSpan) -> None:
        if self.held >= self._room:
            self._counter.spans_dropped(QUEUE_FULL, 1)
            return
        self._taken += 1
        super().on_end(span)


def _resource() -> Resource:
    """Describe this process as the environment says; its service is named polyseme unless the environment names it."""
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return resource.merge(Resource({SERVICE_NAME: "polyseme"}))
    return resource


def _span_context(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(int(flags, 16)))
