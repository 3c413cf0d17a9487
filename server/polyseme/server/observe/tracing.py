"""Tracing: what the rest of the server knows of it. Who traces is told of calls, of their steps, and of batches.

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
    """One call, or one request of a stream, under way."""

    @property
    def traceparent(self) -> str:
        """Its span, as W3C Trace Context writes it; empty: it is not recorded."""

    def request(self, started: float) -> Trace:
        """A request of the stream that this is has arrived; monotonic seconds."""

    def end(self, code: str, steps: Sequence[Step], request_id: str) -> None:
        """It ends now, with a status code. Never waits."""


class SpanCounter(Protocol):
    """Counts spans; called on any thread."""

    def spans_exported(self, count: int) -> None:
        """The collector has taken spans."""

    def spans_dropped(self, reason: str, count: int) -> None:
        """Spans were dropped; one of `DROPPED`."""


class Tracing(Protocol):
    """Traces the calls and batches of one server."""

    def call(self, path: str, metadata: Metadata, started: float) -> Trace:
        """A call of `/package.Service/Method` has arrived; monotonic seconds."""

    def batches(self, model: str, version: str, observer: Observer) -> Observer:
        """Give what is to be told of the batches of a model, and tells `observer` in turn."""

    async def close(self) -> None:
        """Send what is left, for a few seconds at most."""


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
        """End nothing."""


def tracing_for(environment: Mapping[str, str], counter: SpanCounter) -> Tracing:
    """Trace as the OTEL_ variables of an environment say; without them, nothing.

    What stands in the way costs a line in the log and the traces, never the calls: such variables are often set for
    many programs at once.
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
