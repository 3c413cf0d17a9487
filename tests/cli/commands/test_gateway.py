"""polyseme gateway until it listens; tests/gateway/test_serving.py has the process."""

import socket
from contextlib import closing

import pytest

from polyseme.cli.commands import gateway
from polyseme.cli.main import main
from polyseme.gateway.config import GatewayConfig


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "http://a:1"), "gRPC takes no URL"),
        (("--client-cert", "x"), "--client-cert and --client-key go together"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, message, capsys):
    assert main(["gateway", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("--port", "65536"), ("--max-inputs", "0"), ("--timeout", "0"), ("--allowed-hosts", "http://a")]
)
def test_limits_of_numbers_are_told_by_the_flag(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["gateway", *arguments])
    assert arguments[0] in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_line(capsys):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        assert main(["gateway", "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"polyseme: error: cannot listen on 127.0.0.1, port {port}: Address already in use\n"
    )


def test_the_flags_become_the_settings(monkeypatch):
    served = {}
    monkeypatch.setattr(
        "polyseme.gateway.serving.serve", lambda config, _, before: served.update(config=config, to=before)
    )
    assert main(["gateway"]) == 0
    assert served == {"config": GatewayConfig(), "to": "localhost:50051"}
    flags = "--host ::1 --port 1 --timeout 2 --max-body-bytes 3 --max-inputs 4 --max-requests 5 --max-connections 6"
    assert main(["gateway", *flags.split(), "--grace", "7", "--target", "a:8", "--allowed-hosts", "b, *.c,"]) == 0
    assert served["to"] == "a:8"
    assert served["config"] == GatewayConfig(
        host="::1",
        port=1,
        timeout_s=2,
        max_body_bytes=3,
        max_inputs=4,
        max_requests=5,
        max_connections=6,
        grace_s=7,
        allowed_hosts=("b", "*.c"),
    )
    assert gateway.EXTRA == "gateway"
