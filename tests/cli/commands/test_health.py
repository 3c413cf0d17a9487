import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from tests.client.fake_server import FakeServer, fake_server

from polyseme.cli.main import main

SERVICE = "polyseme.v1.EmbeddingService"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake


def test_health_of_a_serving_server(server, capsys):
    assert main(["health", server.target]) == 0
    assert capsys.readouterr().out == "SERVING\n"


def test_health_takes_the_target_as_an_option_too(server, capsys):
    assert main(["health", "--target", server.target]) == 0
    assert capsys.readouterr().out == "SERVING\n"


def test_health_of_a_draining_server(server, capsys):
    server.set_health(SERVICE, serving=False)
    assert main(["health", server.target, "--service", SERVICE]) == 1
    assert capsys.readouterr().out == "NOT_SERVING\n"


def test_health_where_nobody_listens(capsys):
    assert main(["health", "127.0.0.1:1"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("polyseme: error: no server listens at 127.0.0.1:1; ")


def test_health_of_an_unknown_service(server, capsys):
    assert main(["health", server.target, "--service", "no.such.Service"]) == 1
    assert capsys.readouterr().err.startswith(f"polyseme: error: {server.target}: ")


def test_health_waits_for_a_server_that_starts(server, capsys):
    server.set_health(SERVICE, serving=False)
    threading.Timer(0.5, server.set_health, (SERVICE,), {"serving": True}).start()
    assert main(["health", "--wait", server.target, "--timeout", "300"]) == 0
    assert capsys.readouterr().out == "SERVING\n"


def test_health_waits_no_longer_than_its_timeout(capsys):
    assert main(["health", "--wait", "127.0.0.1:1", "--timeout", "0.5"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("polyseme: error: no server listens at 127.0.0.1:1; ")


def test_health_takes_the_target_from_the_environment(server, monkeypatch, capsys):
    monkeypatch.setenv("POLYSEME_TARGET", server.target)
    assert main(["health"]) == 0


def test_health_does_not_need_rich(server):
    program = (
        "import sys; sys.modules['rich'] = None; from polyseme.cli.main import main; main(['health', sys.argv[1]])"
    )
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", program, server.target]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (result.stdout, result.stderr) == ("SERVING\n", "")
