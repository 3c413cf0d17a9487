"""A device that is lost, or hangs, ends the process; nothing else does."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack

import pytest
from tests.server.failpoints import TEXT, failing_server

from polyseme.runtime.errors import DeviceLostError
from polyseme.server.engine.watchdog import Watchdog

CALL = """
    import sys
    from polyseme.client import Client
    with Client(sys.argv[1]) as client:
        client.embed(["one text"], timeout=300)
"""


@pytest.fixture
def faulty(tiny_artifact, tmp_path):
    """A server whose device fails after start-up; gives the process, its target and its log."""
    with ExitStack() as servers:

        def start(failpoints, *flags):
            log = tmp_path / "log"
            return *servers.enter_context(failing_server(tiny_artifact, failpoints, log, *flags)), log

        yield start


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
    process, target, log = faulty("run=raise(DeviceLostError)")
    failed = call(target)
    assert failed.returncode != 0
    assert "one text" not in failed.stderr
    assert process.wait(timeout=300) == 70
    said = log.read_text()
    assert f"CANNOT RUN ANYTHING ANY MORE: {TEXT}; exit status 70" in said  # the message of this type is ours


def test_a_hanging_device_ends_the_process(faulty):
    process, target, log = faulty("run=sleep(600)", "--max-run-s", "2")
    assert call(target).returncode != 0
    assert process.wait(timeout=300) == 70
    assert "a batch has been running for more than 2 s" in log.read_text()


def test_an_exception_that_ends_a_thread_ends_the_process(faulty):
    """The caller hears of it, and so does whoever reads the log."""
    process, target, log = faulty("run=raise(SystemExit)")
    failed = call(target)
    assert failed.returncode != 0
    assert "internal error" in failed.stderr
    assert process.wait(timeout=300) == 70
    said = log.read_text()
    assert "CANNOT RUN ANYTHING ANY MORE: a batch ended with SystemExit; exit status 70" in said
    assert "one text" not in said


def test_a_runner_thread_that_dies_ends_the_process(faulty):
    process, target, log = faulty("thread=raise(MemoryError)", "--runners", "2")
    assert call(target).returncode != 0
    assert process.wait(timeout=300) == 70
    said = log.read_text()
    assert re.search(r"thread runner-\d ended", said)
    assert "MemoryError: message withheld" in said
    assert "of 3 runner threads died; exit status 70" in said
    assert "one text" not in said


def test_an_error_of_one_batch_ends_nothing(faulty):
    process, target, _ = faulty("run=oom")
    assert call(target).returncode != 0
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) == 0


def test_time_in_which_the_process_was_stopped_does_not_count(faulty):
    process, target, log = faulty("run=sleep(2.5)", "--max-run-s", "4")
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(CALL), target]) as caller:
        _wait_for(lambda: "failpoint run: sleep" in log.read_text())
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(5)
        os.kill(process.pid, signal.SIGCONT)
        assert caller.wait(timeout=300) == 0
    assert process.poll() is None


class Ticks:
    """A clock whose seconds pass when a test says so."""

    def __init__(self):
        self._passed = asyncio.Queue()

    async def sleep(self, seconds):
        assert seconds == 1
        await self._passed.get()

    async def pass_by(self, seconds):
        for _ in range(seconds):
            self._passed.put_nowait(None)
            for _ in range(10):  # turns of the event loop, in which the watchdog counts the second
                await asyncio.sleep(0)


def watched(body, max_run_s=0):
    """Run `body(watchdog, ticks, watch)`, where `watch` ends once nothing can be run any more."""

    async def main():
        ticks = Ticks()
        watchdog = Watchdog(max_run_s, sleep=ticks.sleep)
        watch = asyncio.create_task(watchdog.wait_until_lost())
        try:
            await body(watchdog, ticks, watch)
        finally:
            watch.cancel()

    asyncio.run(main())


def test_no_limit_is_no_limit():
    async def body(watchdog, ticks, watch):
        with watchdog.running():
            await ticks.pass_by(1000)
        assert not watch.done()
        assert not watchdog.reason

    watched(body)


def test_a_run_beyond_the_limit_is_a_hang():
    async def body(watchdog, ticks, watch):
        with watchdog.running():
            await ticks.pass_by(3)
            assert not watch.done()
            await ticks.pass_by(1)
            assert watch.done()
        assert watchdog.reason == "a batch has been running for more than 3 s"

    watched(body, max_run_s=3)


def test_runs_that_end_in_time_are_forgotten():
    async def body(watchdog, ticks, watch):
        for _ in range(10):
            with watchdog.running():
                await ticks.pass_by(2)
        assert not watch.done()
        with pytest.raises(DeviceLostError), watchdog.running():
            raise DeviceLostError("gone")
        await asyncio.wait_for(watch, 300)
        assert watchdog.reason == "gone"

    watched(body, max_run_s=3)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_an_exception_that_ends_processes_ends_this_one(error):
    async def body(watchdog, _ticks, watch):
        with pytest.raises(type(error)), watchdog.running():
            raise error
        await asyncio.wait_for(watch, 300)
        assert watchdog.reason == f"a batch ended with {type(error).__name__}"

    watched(body)


def test_a_check_is_asked_once_a_second_until_it_is_taken_back():
    async def body(watchdog, ticks, watch):
        asked, answer = [], ""
        forget = watchdog.watch(lambda: asked.append(1) or "")
        watchdog.watch(lambda: answer)
        await ticks.pass_by(5)
        assert len(asked) == 5
        forget()
        await ticks.pass_by(5)
        assert len(asked) == 5
        assert not watch.done()
        answer = "gone"
        await ticks.pass_by(1)
        assert watch.done()
        assert watchdog.reason == "gone"

    watched(body)


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
