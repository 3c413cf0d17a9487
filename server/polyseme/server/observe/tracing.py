"""Tracing, as the rest of the server knows it: it is told of calls, of their steps, and of batches.

Nothing is imported for it, and nothing costs anything, unless the environment asks for it as OpenTelemetry says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from polyseme.server.scheduling import Observer

log = logging.getLogger(__name__)

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


QUEUE_FULL: Final = "queue_full"
EXPORT_FAILED: Final = "export_failed"
DROPPED: Final = (QUEUE_FULL, EXPORT_FAILED)
"""Why spans are dropped: there was no room for them, or the collector did not take them."""


Step: TypeAlias = tuple[str, float, float]
"""A part of a call: tokenize, queue, run or encode; when it began and ended, in seconds of the monotonic clock."""


class Trace(Protocol):
    """The trace of one call, or of one request of a stream."""

    @property
    def traceparent(self) -> str:
        """The span, as W3C Trace Context writes it; empty: it is not recorded."""

    def request(self, started: float) -> Trace:
        """Begin the trace of a request in this stream.

        Args:
            started: when the request arrived; monotonic seconds.
        """

    def end(self, code: str, steps: Sequence[Step], request_id: str) -> None:
        """End now. Never waits.

        Args:
            code: name of the status code.
            steps: the steps of the call.
            request_id: the id of the call.
        """


class SpanCounter(Protocol):
    """Counts spans; called on any thread."""

    def spans_exported(self, count: int) -> None:
        """Count spans that the collector has taken."""

    def spans_dropped(self, reason: str, count: int) -> None:
        """Count spans that were dropped.

        Args:
            reason: one of `DROPPED`.
            count: number of spans.
        """


class Tracing(Protocol):
    """Traces the calls and batches of one server."""

    def call(self, path: str, metadata: Metadata, started: float) -> Trace:
        """Begin the trace of a call.

        Args:
            path: `/package.Service/Method`.
            metadata: the headers of the call.
            started: when it arrived; monotonic seconds.
        """

    def batches(self, model: str, version: str, observer: Observer) -> Observer:
        """Give an observer that traces the batches of a model, and tells `observer` of them."""

    async def close(self) -> None:
        """Send the spans that are left, for a few seconds at most."""


class _Untraced:
    """A call that nobody traces."""

    traceparent = ""

    def request(self, _: float) -> Trace:
        return self

    def end(self, code: str, steps: Sequence[Step], request_id: str) -> None:
        pass


UNTRACED: Final[Trace] = _Untraced()


class NoTracing:
    """Traces nothing."""

    def call(self, *_: object) -> Trace:
        """Trace no call."""
        return UNTRACED

    def batches(self, _: str, __: str, observer: Observer) -> Observer:
        """Trace no batch."""
        return observer

    async def close(self) -> None:
        """Do nothing."""


def tracing_for(environment: Mapping[str, str], counter: SpanCounter) -> Tracing:
    """Make the tracing that the OTEL_ variables of an environment ask for; without them, none.

    Where it cannot be made, the log says why, and calls are answered untraced: such variables are often set for many
    programs at once.
    """
    reason = _why_not(environment)
    if reason is None:
        try:
            from polyseme.server.observe.otel import OpenTelemetry

            return OpenTelemetry(counter)
        except ModuleNotFoundError as error:
            reason = f"{error.name} is missing; pip install 'polyseme[otel]'"
        except Exception as error:  # a variable that OpenTelemetry cannot read
            reason = f"{type(error).__name__}: {error}"
    if reason:
        log.warning("NOT TRACED: %s", reason)
    return NoTracing()


def _why_not(environment: Mapping[str, str]) -> str | None:
    """Say why nothing is traced; empty: nobody asked for it; None: it is to be traced."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    asked = exporter or any(environment.get(name) for name in _ENDPOINTS)
    if not asked or exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ""
    if exporter not in ("", "otlp"):
        return f"OTEL_TRACES_EXPORTER is {exporter[:40]!r}; otlp or none"
    protocol = next((value for name in _PROTOCOLS if (value := environment.get(name))), "grpc")
    return None if protocol == "grpc" else f"the protocol of OTLP is {protocol[:40]!r}; only grpc is spoken"
