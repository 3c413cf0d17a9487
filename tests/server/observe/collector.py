"""A collector of traces in a process of its own: OTLP over gRPC, by OpenTelemetry's own generated code.

Run by itself it listens, and writes a line for its port, then one for each export that it gets: the request's bytes.
"""

import subprocess
import sys
import threading
from collections import defaultdict
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

ROOT = Path(__file__).parents[3]
PATIENCE_S = 300


class Collector:
    """What a collector has been sent.

    Attributes:
        endpoint: where it listens.
        exports: each request's bytes.
    """

    def __init__(self, process):
        self._process = process
        self._arrived = threading.Condition()
        self.exports = []
        self.endpoint = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            with self._arrived:
                self.exports.append(bytes.fromhex(line))
                self._arrived.notify_all()

    def by_name(self, count):
        """Return all spans by name, once so many have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.spans) >= count, PATIENCE_S), self.spans
        named = defaultdict(list)
        for span in self.spans:
            named[span.name].append(span)
        return named

    def wait_for_an_export(self):
        """Return once it has been sent anything."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.exports, PATIENCE_S)

    @property
    def requests(self):
        return [pb.ExportTraceServiceRequest.FromString(data) for data in self.exports]

    @property
    def spans(self):
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def collector(answers="at once"):
    """Start one; `answers` may be `never`."""
    command = [sys.executable, "-m", "tests.server.observe.collector", answers]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield Collector(process)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        process.stdout.close()


class _Service(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, answers):
        self._answers = answers

    def Export(self, request, context):
        print(request.SerializeToString().hex(), flush=True)
        if self._answers == "never":
            threading.Event().wait()
        return pb.ExportTraceServiceResponse()


def main():
    server = grpc.server(futures.ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Service(sys.argv[1]), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
