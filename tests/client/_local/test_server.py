"""Local servers, for real: who shares one, when it ends, who can reach it."""

import asyncio
import fcntl
import os
import pickle
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

import pytest

from polyseme.client import AsyncClient, Client, DeadlineExceededError, LocalServerError


@pytest.fixture(autouse=True)
def runtime(monkeypatch):
    """A folder for sockets, whose path is short."""
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture(scope="module", autouse=True)
def source(tiny_artifact):
    return str(tiny_artifact)


def folder_of(client):
    return Path(unquote(client._connection.target.removeprefix("unix:"))).parent


def server_of(folder):
    """The process that listens."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(folder / "socket"))
        return int.from_bytes(caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)


def wait_for_end(pid):
    deadline = time.monotonic() + 300
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, Path(f"/proc/{pid}/status").read_text()
        time.sleep(0.02)


def is_used(folder):
    """Whether anybody uses it; False for one that ends, too."""
    with (folder / "users").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def program(text):
    """A Python program that runs until it is killed; gives it once it has printed a line, and the line."""
    process = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(300)
        process.stdin.close()
        process.stdout.close()


def test_clients_that_ask_for_the_same_share_a_server_that_ends_with_the_last(source):
    with Client.local(source, runners=1) as first:
        folder = folder_of(first)
        pid = server_of(folder)
        with Client.local(source, runners=1) as second, Client.local(source, runners=2) as other:
            assert server_of(folder_of(second)) == pid != server_of(folder_of(other))
            assert (first.embed("a cat") == other.embed("a cat")).all()
        assert first.embed("a cat").shape == (32,)
    wait_for_end(pid)


def test_nobody_else_can_reach_it(source, runtime):
    with Client.local(source) as client:
        folder = folder_of(client)
        pid = server_of(folder)
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder, folder / "socket")] == [
            0o700, 0o700, 0o600,
        ]  # fmt: skip
        assert listening(pid) == []
        assert os.getsid(pid) == pid, "Ctrl-C of this terminal would end it"
        if os.geteuid():
            pytest.skip("only root can try as another user")
        runtime.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionError):
                server_of(folder)
        finally:
            os.seteuid(0)
        server_of(folder)


def listening(pid):
    """The TCP sockets that a process listens on."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            inodes.add(str(file.readlink()))
    lines = [
        line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()
    ]
    return [line[1] for line in lines[1:] if line[3] == "0A" and f"socket:[{line[9]}]" in inodes]


def test_it_ends_when_its_last_user_is_killed(source):
    text = f"from polyseme.client import Client; c = Client.local({source!r}); print(c, flush=True); input()"
    with program(text) as (process, _), Client.local(source) as client:
        folder = folder_of(client)
        pid = server_of(folder)
        client.close()
        assert is_used(folder)
        process.send_signal(signal.SIGKILL)
        wait_for_end(pid)


def test_a_forked_process_uses_it_too(source):
    text = f"""
import os
from polyseme.client import Client
client = Client.local({source!r})
client.embed("a cat")
if os.fork():
    os._exit(0)
os.read(0, 1)
print(client, client.embed("a cat").shape, flush=True)
os.read(0, 2)
"""
    process = subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.wait(300)
    process.stdin.write("1")
    process.stdin.flush()
    line = process.stdout.readline()
    assert line.endswith(" (32,)\n")
    folder = Path(line.split("'")[1].removeprefix("unix:")).parent
    pid = server_of(folder)
    assert is_used(folder)
    process.stdin.close()  # the child ends
    process.stdout.close()
    wait_for_end(pid)


def test_of_programs_that_begin_at_once_one_starts_it(source):
    text = f"from polyseme.client import Client; c = Client.local({source!r}); print(c, flush=True); input()"
    with program(text) as (_, one), program(text) as (_, two), program(text) as (_, three):
        assert one == two == three
        log = (Path(one.split("'")[1].removeprefix("unix:")).parent / "log").read_text()
    assert len([line for line in log.splitlines() if " serving " in line]) == 1


def test_one_that_was_killed_is_started_again(source):
    with Client.local(source) as client:
        pid = server_of(folder_of(client))
        os.kill(pid, signal.SIGKILL)
        with Client.local(source) as later:
            assert later.embed("a cat").shape == (32,)
            assert server_of(folder_of(later)) != pid


def test_one_that_ends_is_an_error_with_its_last_lines(tmp_path, source, runtime):
    with pytest.raises(
        LocalServerError, match=rf"{tmp_path}/none: the server ended: .*{tmp_path}/none is not a directory"
    ):
        Client.local(tmp_path / "none")
    with pytest.raises(LocalServerError, match=r"unrecognized arguments: --runers=1; is --runners meant\?"):
        Client.local(source, runers=1)
    assert not any(is_used(folder) for folder in (runtime / "polyseme").iterdir())


def test_one_that_cannot_be_started_is_an_error(source, monkeypatch):
    monkeypatch.setattr("sys.executable", "/none/python")
    with pytest.raises(LocalServerError, match="cannot start /none/python: No such file or directory"):
        Client.local(source)


def test_one_that_is_not_ready_in_time_is_an_error(source, runtime):
    with pytest.raises(DeadlineExceededError, match=r"was not ready within 0.001 s \(start_timeout\): "):
        Client.local(source, start_timeout=0.001)
    assert not any(is_used(folder) for folder in (runtime / "polyseme").iterdir())


def test_a_pickled_client_uses_it_too(source):
    with Client.local(source, model="tiny", runners=1) as client:
        data = pickle.dumps(client)
        with pickle.loads(data) as copy:
            pid = server_of(folder_of(client))
            client.close()
            assert copy.embed("a cat").shape == (32,)
            assert (repr(copy), server_of(folder_of(copy))) == (repr(client), pid)


def test_asyncio(source):
    async def main():
        client = await AsyncClient.local(source)
        async with client:
            folder = folder_of(client)
            with pytest.raises(TypeError, match="local"):
                pickle.dumps(client)
            return server_of(folder), await client.embed("a cat")

    pid, vector = asyncio.run(main())
    assert vector.shape == (32,)
    wait_for_end(pid)


def test_a_package_is_exported_first(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("POLYSEME_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("POLYSEME_MAX_TEXTS", "7")
    shutil.copytree(tiny_checkpoint, tmp_path / "carrier/model")
    with Client.local(f"package:{tmp_path / 'carrier'}", max_spans=9) as client:
        model = client.model()
        assert (model.name, model.limits.max_texts) == ("carrier", 1024)
    assert len(list((tmp_path / "cache").iterdir())) == 1
