"""What tracing costs a call in CPU: the spans of calls that do nothing else, made and sent to a collector.

Usage: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 OTEL_BSP_MAX_QUEUE_SIZE=100000 python -m bench.cost.tracing
"""

from __future__ import annotations

import asyncio
import time

from bench.lib.machine import heading, versions

from polyseme.server.observe.metrics import Metrics
from polyseme.server.observe.otel import OpenTelemetry
from polyseme.server.scheduling import BatchReport

CALLS = 2000
PATH = "/polyseme.v1.EmbeddingService/Embed"
CALLER = (("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"),)


class Nobody:
    """An observer that does nothing."""

    def batch_done(self, report: BatchReport) -> None:
        """A batch was run."""


def main() -> None:
    """Print microseconds of CPU."""
    metrics = Metrics()
    tracing = OpenTelemetry(metrics)
    batches = tracing.batches("model", "version", Nobody())
    process, loop = time.process_time(), time.thread_time()
    for _ in range(CALLS):
        now = time.monotonic()
        trace = tracing.call(PATH, CALLER, now)
        batches.batch_done(
            BatchReport(
                texts=1, tokens=8, padded_tokens=8, queue_s=[0], started=now, run_s=0, traceparents=[trace.traceparent]
            )
        )
        trace.end("OK", [(step, now, now) for step in ("tokenize", "queue", "run", "encode")], "0123456789abcdef")
    loop = time.thread_time() - loop
    asyncio.run(tracing.close())
    process = time.process_time() - process
    print(heading())
    print(f"         {versions('opentelemetry-sdk', 'opentelemetry-exporter-otlp-proto-grpc')}")
    print(f"a call of 6 spans, microseconds of CPU: {loop / CALLS * 1e6:.0f} on the event loop, ", end="")
    print(f"{process / CALLS * 1e6:.0f} in all threads; ", end="")
    print(f"{metrics.registry.get_sample_value('polyseme_spans_exported_total'):.0f} spans exported")


if __name__ == "__main__":
    main()
