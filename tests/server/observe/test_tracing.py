import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from polyseme.server.observe.otel import OpenTelemetry
from polyseme.server.observe.tracing import UNTRACED, NoTracing, tracing_for

ROOT = Path(__file__).parents[3]
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    ],
)
def test_nothing_is_traced_unless_it_is_asked_for(environment, caplog):
    assert isinstance(tracing_for(environment, None), NoTracing)
    assert not caplog.records


@pytest.mark.parametrize(
    "environment",
    [ENDPOINT, {"OTEL_TRACES_EXPORTER": "otlp"}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}],
)
def test_an_endpoint_or_an_exporter_asks_for_it(environment, caplog):
    tracing = tracing_for(environment, None)
    assert isinstance(tracing, OpenTelemetry)
    asyncio.run(tracing.close())
    assert not caplog.records


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "'http/protobuf'; only grpc is spoken"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'; otlp or none"),
    ],
)
def test_what_cannot_be_had_is_one_line_in_the_log(environment, said, caplog):
    assert isinstance(tracing_for(environment, None), NoTracing)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert said in record.getMessage()


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, caplog):
    monkeypatch.delitem(sys.modules, "polyseme.server.observe.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert isinstance(tracing_for(ENDPOINT, None), NoTracing)
    (record,) = caplog.records
    assert record.getMessage() == "NOT TRACED: opentelemetry is missing; pip install 'polyseme[otel]'"


def test_a_variable_that_cannot_be_read_costs_the_traces_alone(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "many")
    assert isinstance(tracing_for(ENDPOINT, None), NoTracing)
    assert "NOT TRACED: ValueError: " in caplog.text


def test_a_server_that_is_not_traced_does_not_import_it(tiny_artifact):
    program = """
        import sys
        from tests.server.running import running
        from polyseme.v1 import embedding_service_pb2 as pb

        with running(sys.argv[1]) as server:
            server.embedding.Embed(pb.EmbedRequest(texts=["a cat"]), metadata=(("traceparent", "00-1-1-01"),))
        print([name for name in sys.modules if name.startswith("opentelemetry")])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), tiny_artifact],
        cwd=ROOT, env={"PATH": "/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_what_is_not_traced_stays_as_it_is():
    tracing, observer = NoTracing(), object()
    assert tracing.batches("model", "version", observer) is observer
    assert tracing.call("/a.B/C", (), 0.0).request(0.0) is UNTRACED
    assert UNTRACED.traceparent == ""
