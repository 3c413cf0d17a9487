"""Weights that change while they are served, in a real server's own files."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from polyseme.client import Client, PolysemeError
from polyseme.server.engine.weights import WeightFile

SIZE = 5 << 20


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture
def file(path):
    file = WeightFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
    yield file
    file.close()


def write(path, at, data, *, keep_time=False):
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_does_not_change_is_well_for_ever(file):
    assert [file.look() for _ in range(20)] == [""] * 20


def test_what_is_cut_short_or_longer_is_seen_at_once(file, path):
    os.truncate(path, SIZE - 1)
    assert f"has {SIZE - 1} bytes, {SIZE} when it was loaded" in file.look()
    os.truncate(path, SIZE + 1)
    assert f"has {SIZE + 1} bytes" in file.look()


def test_what_is_written_is_seen_at_once(file, path):
    write(path, SIZE // 2, b"another")
    assert "changed while served" in file.look()


def test_what_is_written_unnoticed_is_seen_within_a_round(file, path):
    """As by another mapping of it, or with its time set back."""
    assert file.look() == ""
    write(path, SIZE // 2, b"another", keep_time=True)
    looks = [file.look() for _ in range(SIZE // (1 << 20))]
    assert "manifest says" in "".join(looks)


def test_what_is_touched_only_is_well(file, path):
    os.utime(path)
    assert [file.look() for _ in range(12)] == [""] * 12


def test_what_another_file_replaces_by_name_is_well(file, path):
    other = path.with_name("other")
    other.write_bytes(b"short")
    other.rename(path)
    assert [file.look() for _ in range(12)] == [""] * 12


@pytest.fixture
def served(tiny_artifact, tmp_path):
    """A server of a copy; gives the process, its weights and a caller."""
    shutil.copytree(tiny_artifact, tmp_path / "model")
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", str(tmp_path / "model"), "--port", "0"]
    command += ["--host", "127.0.0.1"]
    process = subprocess.Popen([*command, "--metrics-port", "0"], stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        with Client("127.0.0.1:" + line.partition("127.0.0.1:")[2].split()[0]) as client:
            assert client.embed("a cat").shape == (32,)
            yield process, tmp_path / "model" / "weights.fp32.bin", client
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("change", [lambda path: os.truncate(path, 10), lambda path: write(path, 5000, b"another")])
def test_a_server_ends_with_its_weights(served, change):
    process, weights, _ = served
    change(weights)
    assert process.wait(300) == 70
    said = process.stderr.read()
    assert "CANNOT RUN ANYTHING ANY MORE" in said
    assert "weights.fp32.bin" in said
    assert "changed while served" in said


def test_a_server_that_dies_of_them_says_where(served):
    """A call comes before the next look: nothing but the kernel sees it."""
    process, weights, client = served
    process.send_signal(signal.SIGSTOP)
    os.truncate(weights, 0)
    process.send_signal(signal.SIGCONT)
    while process.poll() is None:
        with suppress(PolysemeError):  # the connection breaks, or the server ends in time
            client.embed("a cat", timeout=5)
    assert process.wait(300) in {-signal.SIGBUS, 70}
    said = process.stderr.read()
    assert "Fatal Python error: Bus error" in said or "CANNOT RUN ANYTHING ANY MORE" in said


def test_a_server_goes_on_when_a_file_takes_the_name(served):
    process, weights, client = served
    before = client.embed("a cat")
    other = weights.with_name("other")
    other.write_bytes(b"short")
    other.rename(weights)
    time.sleep(2.5)  # two looks
    assert (client.embed("a cat") == before).all()
    assert process.poll() is None
