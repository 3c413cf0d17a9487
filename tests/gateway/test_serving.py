"""The process of a gateway, as `polyseme gateway` runs it: how it starts and how it ends."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from tests.server.running import CANARY


@contextmanager
def process(*arguments):
    """A process that has said where it listens; gives it, its port and the line."""
    command = [sys.executable, "-m", "polyseme.cli.main", "gateway", "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            line = running.stderr.readline()
            yield running, int(re.search(r":(\d+)/ ", line)[1]), line
        finally:
            running.kill()


def ask(port, text="a"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/v1/embeddings", f'{{"input": "{text}"}}', {"content-type": "application/json"})
    return connection


def is_open(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_sigterm_lets_requests_under_way_end(server):
    with process("--target", server.target) as (gateway, port, line):
        assert f"http://127.0.0.1:{port}/ is a gateway to {server.target}" in line
        with server.faults.held() as held:
            connection = ask(port)
            held.wait_for_a_batch()
            gateway.send_signal(signal.SIGTERM)
            while is_open(port):
                time.sleep(0.02)
        assert connection.getresponse().status == 200
        connection.close()
        assert gateway.wait(300) == 0
        assert re.fullmatch(r"\S+ \S+ INFO stopped\n", gateway.stderr.read())


def test_requests_that_do_not_end_within_the_grace_are_cancelled_without_a_traceback(server):
    with process("--target", server.target, "--grace", "0.2") as (gateway, port, _), server.faults.held() as held:
        connection = ask(port, CANARY)
        held.wait_for_a_batch()
        gateway.send_signal(signal.SIGINT)
        assert gateway.wait(300) == 0
        connection.close()
        log = gateway.stderr.read()
    assert "Traceback" not in log
    assert CANARY not in log


def test_a_second_signal_ends_it_at_once(server):
    with process("--target", server.target, "--grace", "3000") as (gateway, port, _), server.faults.held() as held:
        connection = ask(port)
        held.wait_for_a_batch()
        while gateway.poll() is None:
            gateway.send_signal(signal.SIGTERM)
            time.sleep(0.02)  # signals without end would leave it no time
        connection.close()
    assert gateway.returncode in (0, -signal.SIGTERM)


def test_a_gateway_that_others_can_call_is_warned_of(server):
    with process("--target", server.target, "--host", "0.0.0.0") as (gateway, _, _):
        assert "--host 0.0.0.0: other machines may call, and keys travel in plaintext" in gateway.stderr.readline()


def test_it_listens_on_this_machine_alone_unless_told(server):
    with process("--target", server.target) as (_, port, _):
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        addresses = {fields[1] for fields in listening if fields[3] == "0A" and fields[1].endswith(f":{port:04X}")}
    assert addresses == {f"0100007F:{port:04X}"}
