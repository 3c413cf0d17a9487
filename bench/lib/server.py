"""A server in a process of its own, for benches."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from polyseme.client import Client, HealthStatus, PolysemeError


@contextmanager
def server(artifact: Path, *flags: str) -> Iterator[str]:
    """Start `polyseme serve` on a free port; gives its target once it is ready, and stops it at the end."""
    with server_process(artifact, *flags) as (target, _):
        yield target


@contextmanager
def server_process(
    artifact: Path, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """The same, in this environment or our own; gives its target and its process id."""
    target = f"127.0.0.1:{free_port()}"
    process = start_server(artifact, target, "--drain-delay-s", "0", *flags, environment=environment)
    try:
        wait_until_ready(target, process)
        yield target, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def start_server(
    artifact: Path, address: str, *flags: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `polyseme serve` at HOST:PORT, without metrics; it is not ready yet."""
    host, _, port = address.partition(":")
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", str(artifact), "--host", host, "--port", port]
    return subprocess.Popen([*command, "--metrics-port", "0", "--log-level", "warning", *flags], env=environment)


def environment_of(checkout: Path | None) -> dict[str, str]:
    """The environment in which the code of another checkout runs, on what is installed here; None: this one's."""
    if checkout is None:
        return dict(os.environ)
    roots = [
        str((checkout / root).resolve())
        for root in ("proto", "runtime", "export", "server", "client", "gateway", "cli")
    ]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(roots)}


def resident_mib(pid: int | None = None) -> float:
    """Memory of a process, default: this one, in MiB: what is its own, without files that are only mapped."""
    return status_mib(pid, "RssAnon")


def status_mib(pid: int | None, name: str) -> float:
    """A size that the kernel tells of a process, default: this one, in MiB."""
    status = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that the threads of a process have taken, to the nanosecond; of those that have not ended."""
    return sum(map(_cpu_ns, Path(f"/proc/{pid}/task").iterdir())) / 1e9


def _cpu_ns(thread: Path) -> int:
    try:
        return int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return 0


def wait_until_ready(target: str, process: subprocess.Popen[bytes]) -> None:
    """Return once a server may be called.

    Raises:
        SystemExit: its process has ended.
    """
    with Client(target) as client:
        while not _is_ready(client):
            if process.poll() is not None:
                raise SystemExit(f"the server ended with exit code {process.returncode}")
            time.sleep(0.01)


def _is_ready(client: Client) -> bool:
    try:
        return client.health("polyseme.v1.EmbeddingService", timeout=1) is HealthStatus.SERVING
    except PolysemeError:
        return False


def free_port() -> int:
    """A port of the loopback interface that nobody listens on; no other process is given it while this one runs.

    It is not one of those that Linux gives to programs that ask for any, from 32768 on: a test beside this one would be
    given it before the server that it is for has started.
    """
    for port in random.sample(range(20_000, 32_000), 12_000):
        reserved = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            try:
                reserved.bind(f"\0polyseme-port-{port}")  # held by one process; the kernel frees it
                probe.bind(("127.0.0.1", port))
            except OSError:
                reserved.close()
            else:
                reserved.detach()  # stays open until this process ends
                return port
    raise OSError("no port is free")
