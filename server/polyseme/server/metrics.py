"""The only owner of prometheus_client: what is counted, and where it is read."""

from __future__ import annotations

from collections.abc import Callable
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from polyseme.server.errors import ConfigError
from polyseme.server.scheduling import BatchReport

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The server's metrics, in a registry of their own: several servers may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "polyseme_calls", "Calls ended, by method and status.", ["method", "code"], registry=self.registry
        )
        self._call_seconds = Histogram(
            "polyseme_call_seconds",
            "From the decoded request to the reply.",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._queue_seconds = Histogram(
            "polyseme_queue_seconds", "A text's wait for a runner.", buckets=_SECONDS, registry=self.registry
        )
        self._run_seconds = Histogram(
            "polyseme_run_seconds", "One batch in the runner.", buckets=_SECONDS, registry=self.registry
        )
        self._batch_texts = Histogram(
            "polyseme_batch_texts", "Texts of a batch.", buckets=_TEXTS, registry=self.registry
        )
        self._tokens = Counter("polyseme_tokens", "Tokens run, padding not counted.", registry=self.registry)
        self._padded_tokens = Counter("polyseme_padded_tokens", "Tokens run, padding counted.", registry=self.registry)
        self._not_finite = Counter(
            "polyseme_not_finite", "Texts whose vectors were not finite and were withheld.", registry=self.registry
        )
        self._http: WSGIServer | None = None

    def watch(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Publish a value that is read when somebody looks."""
        Gauge(name, help_text, registry=self.registry).set_function(read)

    def call_done(self, method: str, code: str, seconds: float) -> None:
        """A call ended."""
        self._calls.labels(method, code).inc()
        self._call_seconds.labels(method).observe(seconds)

    def batch_done(self, report: BatchReport) -> None:
        """A batch was run."""
        self._batch_texts.observe(report.texts)
        self._tokens.inc(report.tokens)
        self._padded_tokens.inc(report.padded_tokens)
        self._run_seconds.observe(report.run_s)
        self._not_finite.inc(report.not_finite)
        for seconds in report.queue_s:
            self._queue_seconds.observe(seconds)

    def listen(self, host: str, port: int) -> None:
        """Serve /metrics on a thread of its own.

        Raises:
            ConfigError: the port cannot be had.
        """
        try:
            self._http, _ = start_http_server(port, host, registry=self.registry)
        except OSError as error:
            raise ConfigError(f"metrics port {port}: {error.strerror}; --metrics-port 0 turns metrics off") from error

    def close(self) -> None:
        """Stop serving."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
