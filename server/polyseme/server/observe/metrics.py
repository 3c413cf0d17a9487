"""The only owner of prometheus_client: what is counted, and where it is read."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from polyseme.server.errors import ConfigError
from polyseme.server.memory.budget import Budget, Kind
from polyseme.server.observe.calls import CallReport
from polyseme.server.observe.endpoint import MetricsEndpoint
from polyseme.server.observe.tracing import DROPPED
from polyseme.server.scheduling import BatchReport

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_MODEL: Final = ("model", "version")
_TEXTS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Queue(Protocol):
    """A queue of texts."""

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait."""

    @property
    def queued_texts(self) -> int:
        """Texts that wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetrics:
    """One model's share of the metrics: an observer of its batches."""

    queue_seconds: Histogram
    run_seconds: Histogram
    batch_texts: Histogram
    tokens: Counter
    padded_tokens: Counter
    not_finite: Counter
    queued_tokens: Gauge
    queued_texts: Gauge

    def batch_done(self, report: BatchReport) -> None:
        """Count a batch that has run."""
        self.batch_texts.observe(report.texts)
        self.tokens.inc(report.tokens)
        self.padded_tokens.inc(report.padded_tokens)
        self.run_seconds.observe(report.run_s)
        if report.not_finite:
            self.not_finite.inc(report.not_finite)
        for seconds in report.queue_s:
            self.queue_seconds.observe(seconds)

    def watch(self, queue: Queue) -> None:
        """Publish the length of a queue, read when the metrics are read."""
        self.queued_tokens.set_function(lambda: float(queue.queued_tokens))
        self.queued_texts.set_function(lambda: float(queue.queued_texts))


class Metrics:
    """The server's metrics, in a registry of their own: several servers may live in one process.

    Attributes:
        calls_in_flight: a gauge; the part that counts calls sets its function.
    """

    wants_peers = False

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls_in_flight = Gauge("polyseme_calls_in_flight", "Calls under way.", registry=self.registry)
        self._requests_incomplete = Gauge(
            "polyseme_requests_incomplete",
            "Requests, messages of streams too, that are waited for or have not come whole.",
            registry=self.registry,
        )
        self._held_bytes = Gauge(
            "polyseme_held_bytes",
            "Memory that calls hold: their work, and replies that their callers have not taken.",
            ["kind"],
            registry=self.registry,
        )
        self._resident_bytes = Gauge(
            "polyseme_resident_bytes",
            "Memory of the process, mapped files not counted, which --max-memory bounds.",
            registry=self.registry,
        )
        self._transfers_ended = Counter(
            "polyseme_transfers_ended",
            "Calls ended since a request did not come or a reply was not taken: too late, or memory was short.",
            ["what", "why"],
            registry=self.registry,
        )
        for what, why in product(("request", "reply"), ("late", "memory")):
            self._transfers_ended.labels(what, why)  # makes the metric exist from the start, at 0
        self._calls = Counter(
            "polyseme_calls",
            "Calls ended, by method, status and the model that answered; no model where a call found none.",
            ["method", "code", "model"],
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "polyseme_call_seconds",
            "From the decoded request to the reply.",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._spans_exported = Counter(
            "polyseme_spans_exported", "Spans that the collector has taken.", registry=self.registry
        )
        self._spans_dropped = Counter(
            "polyseme_spans_dropped",
            "Spans dropped: no room for them (queue_full), or the collector did not take them (export_failed).",
            ["reason"],
            registry=self.registry,
        )
        for reason in DROPPED:
            self._spans_dropped.labels(reason)  # from the start: a rate needs a 0 before the first 1
        self._of_models: dict[str, Any] = {  # by field of ModelMetrics
            "queue_seconds": self._histogram("polyseme_queue_seconds", "A text's wait for a runner.", _SECONDS),
            "run_seconds": self._histogram("polyseme_run_seconds", "One batch in the runner.", _SECONDS),
            "batch_texts": self._histogram("polyseme_batch_texts", "Texts of a batch.", _TEXTS),
            "tokens": self._counter("polyseme_tokens", "Tokens run, padding not counted."),
            "padded_tokens": self._counter("polyseme_padded_tokens", "Tokens run, padding counted."),
            "not_finite": self._counter(
                "polyseme_not_finite", "Texts whose vectors were not finite and were withheld."
            ),
            "queued_tokens": self._gauge("polyseme_queued_tokens", "Tokens that wait."),
            "queued_texts": self._gauge("polyseme_queued_texts", "Texts that wait."),
        }
        self._of_calls: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}  # by method, status and model
        self._endpoint: MetricsEndpoint | None = None

    def call_done(self, report: CallReport) -> None:
        """Count a call that has ended."""
        key = report.method, report.code, report.model
        if key not in self._of_calls:
            self._of_calls[key] = self._calls.labels(*key), self._call_seconds.labels(report.method)
        calls, call_seconds = self._of_calls[key]
        calls.inc()
        call_seconds.observe(report.seconds)

    def spans_exported(self, count: int) -> None:
        """Count spans that the collector has taken."""
        self._spans_exported.inc(count)

    def spans_dropped(self, reason: str, count: int) -> None:
        """Spans were dropped."""
        self._spans_dropped.labels(reason).inc(count)

    def transfer_ended(self, what: str, why: str) -> None:
        """Count a call that was ended since its request did not come, or its reply was not taken."""
        self._transfers_ended.labels(what, why).inc()

    def watch_memory(self, budget: Budget, requests: Callable[[], int], resident: Callable[[], int]) -> None:
        """Publish the memory that is held, read when the metrics are read.

        Args:
            budget: the budget of calls.
            requests: gives the number of requests that have not come whole.
            resident: gives the bytes that the process holds.
        """
        self._requests_incomplete.set_function(lambda: float(requests()))
        self._resident_bytes.set_function(lambda: float(resident()))
        for kind in Kind:
            self._held_bytes.labels(kind.value).set_function(partial(budget.held, kind))

    def of_model(self, name: str, version: str) -> ModelMetrics:
        """Make the metrics of one model."""
        return ModelMetrics(**{field: metric.labels(name, version) for field, metric in self._of_models.items()})

    def forget(self, name: str, version: str) -> None:
        """Publish no metrics any more of a model that is no longer served."""
        for metric in self._of_models.values():
            metric.remove(name, version)

    def listen(
        self,
        host: str,
        port: int,
        *,
        authorize: Callable[[str], bool] | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Serve /metrics on threads of their own; see `MetricsEndpoint`.

        Raises:
            ConfigError: the port cannot be bound.
        """
        try:
            self._endpoint = MetricsEndpoint(make_wsgi_app(self.registry), host, port, authorize=authorize, tls=tls)
        except OSError as error:
            raise ConfigError(f"metrics port {port}: {error.strerror}; --metrics-port 0 turns metrics off") from error

    def close(self) -> None:
        """Stop serving."""
        if self._endpoint is not None:
            self._endpoint.close()

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, help_text, _MODEL, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, help_text: str) -> Counter:
        return Counter(name, help_text, _MODEL, registry=self.registry)

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(name, help_text, _MODEL, registry=self.registry)
