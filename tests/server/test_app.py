"""A server's life: health, metrics, reflection, drain; partly in a process of its own."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import grpc
import pytest
from bench.lib.server import free_port
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.server.running import running

from polyseme.client import Client, PolysemeError
from polyseme.server.errors import ConfigError
from polyseme.v1 import embedding_service_pb2, embedding_service_pb2_grpc

SERVICES = ("polyseme.v1.EmbeddingService", "polyseme.v1.ModelService", "polyseme.v1.PredictionService")
Check = health_pb2.HealthCheckRequest
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
Request = embedding_service_pb2.EmbedRequest


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_health_serves_once_ready(server, service):
    assert health_pb2_grpc.HealthStub(server.channel).Check(Check(service=service), timeout=300).status == SERVING


def test_drain_turns_readiness_off_before_anything_else(tiny_artifact, monkeypatch):
    """The delay lasts until the test says so: seconds could be over before its call comes."""
    over, sleep = threading.Event(), asyncio.sleep

    def delay(seconds):
        return asyncio.to_thread(over.wait, 300) if seconds == 299 else sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", delay)
    with running(tiny_artifact, drain_delay_s=299) as server:
        stub = health_pb2_grpc.HealthStub(server.channel)
        watch = stub.Watch(Check(service=SERVICES[0]), timeout=300)
        assert next(watch).status == SERVING
        drain = threading.Thread(target=server.on_loop, args=(server.app.drain(),))
        drain.start()
        assert next(watch).status == NOT_SERVING
        assert server.embedding.Embed(Request(texts=["still served"]), timeout=300).embeddings.shape
        assert drain.is_alive()
        over.set()
        drain.join(300)
        assert not drain.is_alive()


def test_leaving_during_a_drain_stops_once(tiny_artifact):
    with running(tiny_artifact, drain_delay_s=0.05) as server:
        asyncio.run_coroutine_threadsafe(server.app.drain(), server.loop)


def test_metrics_count_calls_and_batches(tiny_artifact):
    port = free_port()
    with running(tiny_artifact) as server:
        server.app._metrics.listen("127.0.0.1", port)
        server.embedding.Embed(Request(texts=["a", "b c"]), timeout=300)
        with pytest.raises(grpc.RpcError):
            server.embedding.Embed(Request(), timeout=300)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=300) as reply:
            text = reply.read().decode()
    assert 'polyseme_calls_total{code="OK",method="Embed",model="tiny"} 1.0' in text
    assert 'polyseme_calls_total{code="INVALID_ARGUMENT",method="Embed",model="tiny"} 1.0' in text
    assert re.search(r'^polyseme_tokens_total{model="tiny",version="[0-9a-f]{12}"} 7.0$', text, re.MULTILINE)
    assert re.search(r'^polyseme_queued_tokens{model="tiny",version="[0-9a-f]{12}"} 0.0$', text, re.MULTILINE)


def test_a_metrics_port_in_use_is_a_config_error(tiny_artifact):
    with running(tiny_artifact) as server, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="metrics port"):
            server.app._metrics.listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("asked", [True, False])
def test_reflection_is_off_unless_asked(tiny_artifact, asked):
    with running(tiny_artifact, reflection=asked) as server:
        stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        call = stub.ServerReflectionInfo(iter([request]), timeout=300)
        if asked:
            names = [service.name for service in next(call).list_services_response.service]
            assert set(SERVICES) < set(names)
        else:
            with pytest.raises(grpc.RpcError) as error:
                next(call)
            assert grpc.StatusCode.UNIMPLEMENTED is error.value.code()


def test_reflection_knows_methods_by_name(tiny_artifact):
    """As ghz asks."""
    with running(tiny_artifact, reflection=True) as server:
        stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
        symbols = [f"{SERVICES[0]}.Embed", SERVICES[0], "polyseme.v1.EmbedRequest", f"{SERVICES[0]}.Nope", "nope"]
        requests = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol) for symbol in symbols]
        replies = list(stub.ServerReflectionInfo(iter(requests), timeout=300))
    kinds = [reply.WhichOneof("message_response") for reply in replies]
    assert kinds == ["file_descriptor_response"] * 3 + ["error_response"] * 2


def spawn(artifact, *flags, **environment):
    """`polyseme serve` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "polyseme.cli.main", "serve", str(artifact), *flags],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_serve_announces_itself_in_one_line_and_drains_at_sigterm(tiny_artifact):
    port = free_port()
    flags = ("--host", "127.0.0.1", "--port", str(port), "--metrics-port", "0", "--drain-delay-s", "3")
    with spawn(tiny_artifact, *flags, POLYSEME_MAX_TEXTS="17") as process:
        line = process.stderr.readline()
        assert "serving tiny" in line
        assert "fp32, CPUExecutionProvider" in line
        assert "17 texts a call" in line
        failures, answered, drained_at = load_until_drained(port, process)
        log = process.stderr.read()
        assert process.wait(300) == 0, log
    assert answered > 20
    assert failures == [], drained_at
    assert "draining" in log


@pytest.mark.parametrize(("flags", "opened"), [((), False), (("--host", "0.0.0.0"), True)])
def test_serve_is_closed_unless_opened(tiny_artifact, flags, opened):
    """On loopback by default, gRPC and metrics; elsewhere with one line that says so."""
    port, metrics_port = free_port(), free_port()
    with spawn(tiny_artifact, "--port", str(port), "--metrics-port", str(metrics_port), *flags) as process:
        lines = [process.stderr.readline()]
        if "serving tiny" not in lines[-1]:
            lines.append(process.stderr.readline())
        addresses = {listening_address(port), listening_address(metrics_port)}
        process.kill()
    assert addresses == {"0.0.0.0" if opened else "127.0.0.1"}
    assert ["OPEN: whoever reaches" in line for line in lines] == ([True, False] if opened else [False])


def test_serve_listens_on_ipv6_and_a_socket(tiny_artifact, tmp_path):
    """Its line has the targets that callers write; the socket of one that was killed does not stop the next."""
    port, path = free_port(), tmp_path / "it.sock"
    flags = ("--host", "::1", "--metrics-port", "0", "--drain-delay-s", "0", "--listen", f"unix:{path}")
    for end in (signal.SIGKILL, signal.SIGTERM):
        with spawn(tiny_artifact, *flags, "--port", str(port)) as process:
            line = process.stderr.readline()
            shapes = [shape_from(target) for target in (f"[::1]:{port}", f"unix:{path}")]
            process.send_signal(end)
        assert f" on [::1]:{port} and unix:{path} | " in line
        assert shapes == [(32,), (32,)]
        assert path.exists() == (end == signal.SIGKILL)


def shape_from(target):
    """The shape of the vector that a server answers with; its error where there is one."""
    try:
        with Client(target) as client:
            return client.embed("a cat").shape
    except PolysemeError as error:
        return str(error)


def test_serve_leaves_the_socket_of_another_server(tiny_artifact, tmp_path):
    target = f"unix:{tmp_path / 'it.sock'}"
    flags = ("--port", "0", "--metrics-port", "0", "--drain-delay-s", "0", "--listen", target)
    with spawn(tiny_artifact, *flags) as first:
        first.stderr.readline()
        with spawn(tiny_artifact, *flags) as second:
            line = second.stderr.readline()
            if "serving" in line:
                second.terminate()
        shape = shape_from(target)
        first.terminate()
    assert line.endswith(f"cannot listen on {target}: another process listens there\n")
    assert (second.returncode, shape) == (2, (32,))


def listening_address(port):
    """The IPv4 address at which some process of this machine listens on a port, as the kernel has it."""
    for line in (Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()).splitlines():
        _, local, _, state, *_ = line.split()
        address, _, number = local.partition(":")
        if state == "0A" and int(number, 16) == port:  # gRPC has IPv4 on a socket of IPv6
            return socket.inet_ntoa(bytes.fromhex(address[-8:])[::-1])
    return None


def load_until_drained(port, process):
    """Call from 8 threads; SIGTERM in the middle. Failures other than UNAVAILABLE after the drain began, answers."""
    failures, answered = [], [0] * 8
    draining = threading.Event()

    def caller(number):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = embedding_service_pb2_grpc.EmbeddingServiceStub(channel)
            while True:
                before = draining.is_set()
                try:
                    stub.Embed(Request(texts=["a b c"] * 8), timeout=300)
                    answered[number] += 1
                except grpc.RpcError as error:
                    if not before or error.code() is not grpc.StatusCode.UNAVAILABLE:
                        failures.append((before, error.code(), error.details()))
                    return
                if answered[number] == 10 and number == 0:
                    draining.set()
                    process.send_signal(signal.SIGTERM)

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    return failures, sum(answered), draining.is_set()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--port", "x"), ("--port", "expected an integer")),
        (("--port", "-1"), ("--port -1: nobody could call; --listen names a Unix socket",)),
        (("--users-lock", "/none"), ("--users-lock /none: No such file or directory",)),
        (("--device", "cuda"), ("device cuda",)),
        (("--host", "203.0.113.7"), ("cannot listen on 203.0.113.7",)),
        (("--host", "2001:db8::7"), ("cannot listen on [2001:db8::7]:0",)),
        (("--listen", "/run/it.sock"), ("--listen: got '/run/it.sock'; one of unix:/run/polyseme.sock",)),
        (("--listen", f"unix:/tmp/{'a' * 103}"), ("--listen: the path of the socket has 108 bytes; limit 107",)),
        (("--listen", "unix:/proc/it.sock"), ("cannot listen on unix:/proc/it.sock",)),
    ],
)
def test_serve_refuses_in_one_line(tiny_artifact, flags, words):
    with spawn(
        tiny_artifact, "--metrics-port", "0", *(() if "--port" in flags else ("--port", "0")), *flags
    ) as process:
        error = process.stderr.read()
        assert process.wait(300) == 2
    assert len(error.strip().splitlines()) == 1, error
    for word in words:
        assert word in error


def test_serve_refuses_what_is_no_artifact(tmp_path):
    with spawn(tmp_path) as process:
        error = process.stderr.read()
        assert process.wait(300) == 2
    assert "has no manifest.json" in error
    assert len(error.strip().splitlines()) == 1
