"""A device that is lost, or hangs, ends the process; nothing else does."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from polyseme.runtime.errors import DeviceLostError
from polyseme.server.engine import watchdog as module
from polyseme.server.engine.watchdog import Watchdog

FAULTY = """
    import sys, time
    from polyseme.runtime.engines.onnxruntime.session import Session
    from polyseme.runtime.errors import DeviceLostError
    from polyseme.cli.main import main

    healthy, runs = Session.run, 0

    def run(self, *rest):
        global runs
        runs += 1
        if runs > 8:  # what start-up needs
            {fault}
        return healthy(self, *rest)

    Session.run = run
    sys.exit(main(sys.argv[1:]))
"""
CALL = """
    import sys
    from polyseme.client import Client
    with Client(sys.argv[1]) as client:
        client.embed(["one text"], timeout=300)
"""


@pytest.fixture
def faulty(tiny_artifact, tmp_path):
    """A server whose device fails after start-up; gives the process and its target."""
    processes = []

    def start(fault, *flags):
        port = _free_port()
        command = [sys.executable, "-c", textwrap.dedent(FAULTY.format(fault=fault)), "serve", str(tiny_artifact)]
        command += ["--host", "127.0.0.1", "--port", str(port), "--metrics-port", "0", *flags]
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(command, stderr=log, stdout=log)
        processes.append(process)
        _wait_for(lambda: "serving tiny@" in (tmp_path / "log").read_text())
        return process, f"127.0.0.1:{port}", tmp_path / "log"

    yield start
    for process in processes:
        process.kill()
        process.wait()


def _free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def call(target):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CALL), target], capture_output=True, text=True, timeout=300, check=False
    )


def test_a_lost_device_ends_the_process_with_its_own_status(faulty):
    lost = "raise DeviceLostError('the GPU is in an error that only a new process ends')"
    process, target, log = faulty(lost)
    failed = call(target)
    assert failed.returncode != 0
    assert "one text" not in failed.stderr
    assert process.wait(timeout=300) == 70
    said = log.read_text()
    assert "CANNOT RUN ANYTHING ANY MORE: the GPU is in an error that only a new process ends; exit status 70" in said
    assert "one text" not in said


def test_a_hanging_device_ends_the_process(faulty):
    process, target, log = faulty("time.sleep(600)", "--max-run-s", "2")
    assert call(target).returncode != 0
    assert process.wait(timeout=300) == 70
    assert "a batch has been running for more than 2 s" in log.read_text()


def test_an_error_of_one_batch_ends_nothing(faulty):
    process, target, _ = faulty("raise RuntimeError('Failed to allocate memory for requested buffer')")
    assert call(target).returncode != 0
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) == 0


def test_time_in_which_the_process_was_stopped_does_not_count(faulty):
    process, target, _ = faulty("time.sleep(2.5)", "--max-run-s", "4")
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(CALL), target]) as caller:
        time.sleep(1)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(5)
        os.kill(process.pid, signal.SIGCONT)
        assert caller.wait(timeout=300) == 0
    assert process.poll() is None


def test_no_limit_is_no_limit(monkeypatch):
    monkeypatch.setattr(module, "_TICK_S", 0.01)

    async def main():
        watchdog = Watchdog(0)
        with watchdog.running(), pytest.raises(TimeoutError):
            await asyncio.wait_for(watchdog.wait_until_lost(), 0.2)
        assert not watchdog.reason

    asyncio.run(main())


def test_runs_that_end_in_time_are_forgotten(monkeypatch):
    monkeypatch.setattr(module, "_TICK_S", 0.02)

    async def main():
        watchdog = Watchdog(0.1)
        watch = asyncio.create_task(watchdog.wait_until_lost())
        for _ in range(10):
            with watchdog.running():
                await asyncio.sleep(0.03)
        assert not watch.done()
        with pytest.raises(DeviceLostError), watchdog.running():
            raise DeviceLostError("gone")
        await asyncio.wait_for(watch, 1)
        assert watchdog.reason == "gone"

    asyncio.run(main())


def test_a_run_that_ends_while_they_are_counted_is_not_taken_for_one_that_hangs():
    """It ends between the look at what runs and what is done about it."""

    class Ending(dict):
        def values(self):
            seen = list(super().values())
            self.clear()
            return seen

    async def main():
        watchdog = Watchdog(3)
        watchdog._began = Ending()
        watchdog._began[object()] = 0
        for _ in range(10):
            watchdog._tick()
        assert not watchdog._began
        assert not watchdog.reason

    asyncio.run(main())
