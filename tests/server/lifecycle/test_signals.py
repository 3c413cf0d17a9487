"""Signals that come before a server serves."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def starting(artifact, **environment):
    """A server as early as it has a say in what SIGHUP does."""
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", str(artifact), "--port", "0", "--metrics-port", "0"]
    command += ["--drain-delay-s", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        while not held(process.pid, signal.SIGHUP):
            assert process.poll() is None
            time.sleep(0.001)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def held(pid, number):
    """Whether a signal would not end the process: blocked, or caught."""
    state = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool((int(state["SigBlk"], 16) | int(state["SigCgt"], 16)) >> (number - 1) & 1)


def libraries(pid):
    return {name for name in ("grpc", "onnxruntime", "tokenizers") if name in Path(f"/proc/{pid}/maps").read_text()}


def test_sighup_waits_until_it_can_be_obeyed(tiny_artifact):
    """Held before anything heavy is imported; obeyed once calls are let in."""
    with starting(tiny_artifact) as process:
        assert libraries(process.pid) == set()
        process.send_signal(signal.SIGHUP)
        announced = (line for line in process.stderr if "serving tiny@" in line)
        assert next(announced), "at start"
        assert next(announced), "after the reload"
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
        assert process.stderr.read().endswith("stopped\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_what_does_not_serve_yet_ends_at_once(tiny_artifact, number, code):
    with starting(tiny_artifact) as process:
        while not held(process.pid, signal.SIGTERM):
            assert process.poll() is None
        assert libraries(process.pid) == set()
        process.send_signal(number)
        assert process.wait(300) == code
        assert process.stderr.read() == f"polyseme: {number.name}: ended before it served\n"


def test_what_the_parent_blocked_still_ends_it(tiny_artifact):
    """A blocked signal is inherited: of a program that waits for its signals on a thread of its own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        with starting(tiny_artifact) as process:
            announced = (line for line in process.stderr if "serving tiny@" in line)
            assert next(announced)
            state = Path(f"/proc/{process.pid}/status").read_text()
            assert "SigBlk:\t0000000000000000\n" in state
            process.send_signal(signal.SIGTERM)
            assert process.wait(300) == 0
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
