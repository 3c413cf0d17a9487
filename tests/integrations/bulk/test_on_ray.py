"""examples/bulk/on_ray.py on a real Ray: rows are written once, whatever is killed on the way. `make test-ray`."""

import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.client._local.test_server import folder_of, server_of, wait_for_end
from tests.server.running import running

from polyseme.client import Client, InvalidArgumentError

pytest.importorskip("ray", reason="make test-ray brings it")
import pyarrow as pa
from examples.bulk.on_ray import Embedder
from tests.integrations.bulk import rows

pytestmark = pytest.mark.integrations

ROOT = Path(__file__).parents[3]
WORKER = b"ray::MapWorker(MapBatches(Embedder))"
COUNT = 400


@pytest.fixture(scope="module")
def server(tiny_artifact):
    """It runs each text alone: vectors do not depend on texts that share a batch, and can be compared bit by bit."""
    with running(tiny_artifact, runners=1, max_batch_texts=1) as it:
        yield it


@pytest.fixture
def texts(tmp_path):
    return rows.write(tmp_path / "in.parquet", COUNT)


class Nth:
    """A fault: the batches before the Nth pass, those from there on wait at the gate."""

    def __init__(self, count):
        self._left = itertools.count(count, -1)
        self.reached, self.gate = threading.Event(), threading.Event()

    def __call__(self, run, *batch):
        if next(self._left) <= 0:
            self.reached.set()
            assert self.gate.wait(300)
        return run(*batch)


@contextmanager
def example(folder, *arguments):
    """The program, from in.parquet to out; what it says is in `log`."""
    command = [
        sys.executable,
        "examples/bulk/on_ray.py",
        str(folder / "in.parquet"),
        str(folder / "out"),
        "--rows",
        "20",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=300)


def finish(process, folder):
    assert process.wait(timeout=300) == 0, (folder / "log").read_text()


def wait_until(condition):
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stat(pid):
    """The parent of a process, and its command line; None where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"^PPid:\s(\d+)", status, re.MULTILINE)[1]), Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None


def below(pid):
    """The processes that one has started, and those that they have: their ids and command lines."""
    listed = {int(path.name): stat(path.name) for path in Path("/proc").glob("[0-9]*")}
    found, ahead = {}, [pid]
    while ahead:
        parent = ahead.pop()
        children = {child: seen[1] for child, seen in listed.items() if seen and seen[0] == parent}
        found |= children
        ahead += children
    return found


def workers_of(process):
    return [pid for pid, command in below(process.pid).items() if command.startswith(WORKER)]


def test_a_worker_that_is_killed_in_a_call(server, texts, tmp_path):
    with example(tmp_path, "--target", server.target) as process:
        with server.faults.held():
            wait_until(lambda: server.metric("polyseme_calls_in_flight") == 2)
            victim, other = workers_of(process)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: server.metric("polyseme_calls_in_flight") < 2)
            wait_until(lambda: server.metric("polyseme_calls_in_flight") == 2)  # what it had is asked for again
            assert len({*workers_of(process)} - {victim, other}) == 1
        finish(process, tmp_path)
    rows.assert_each_once(tmp_path / "out", server.target, texts)


def test_a_run_that_is_killed_goes_on_from_its_checkpoint(server, texts, tmp_path):
    arguments = ("--target", server.target, "--checkpoint", str(tmp_path / "checkpoint"))
    written = tmp_path / "out"
    stop = Nth(COUNT // 2)
    with example(tmp_path, *arguments) as process:
        with server.faults.put(stop):
            wait_until(lambda: stop.reached.is_set() and any(written.glob("*.parquet")))
            ray = below(process.pid)
            process.kill()
            stop.gate.set()
        for pid in ray:
            wait_for_end(pid)
    kept = len(rows.read(written)[0])
    with server.faults.counted() as runs, example(tmp_path, *arguments) as process:
        finish(process, tmp_path)
    assert len(runs) == COUNT - kept
    rows.assert_each_once(written, server.target, texts)


def test_workers_that_share_a_server_of_their_machine(server, tiny_artifact, texts, tmp_path, runtime):
    with example(tmp_path, "--artifact", str(tiny_artifact)) as process:
        finish(process, tmp_path)
    ids, vectors = rows.read(tmp_path / "out")
    assert sorted(ids) == list(range(COUNT))
    with Client(server.target) as client:
        # In batches of other texts, sums are rounded otherwise.
        np.testing.assert_allclose(vectors, client.embed(texts), rtol=0, atol=1e-6)


def test_what_is_there_is_not_written_into(texts, tmp_path):
    (tmp_path / "out").mkdir()
    with example(tmp_path, "--target", "127.0.0.1:1") as process:
        assert process.wait(timeout=300) == 1
    assert "already exists" in (tmp_path / "log").read_text()


@pytest.fixture
def runtime(monkeypatch):
    """A folder for sockets, whose path is short."""
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


def test_an_embedder_whose_server_is_killed_starts_another(tiny_artifact, runtime):
    embedder = Embedder(partial(Client.local, str(tiny_artifact)), "text")
    batch = pa.table({"text": ["a cat", "a dog"]})
    before = embedder(batch)
    pid = server_of(folder_of(embedder._client))
    os.kill(pid, signal.SIGKILL)
    assert embedder(batch).equals(before)
    assert server_of(folder_of(embedder._client)) != pid
    embedder._client.close()


def test_an_embedder_takes_no_rows_and_refuses_what_the_server_refuses(server):
    embedder = Embedder(partial(Client, server.target), "text")
    assert embedder(pa.table({"text": pa.array([], pa.string())})).num_rows == 0
    with pytest.raises(InvalidArgumentError, match="has 202 tokens; limit 128"):
        embedder(pa.table({"text": ["a " * 200]}))
