"""A server in a process of its own, for benches."""

from __future__ import annotations

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
    port = _free_port()
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", str(artifact), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--metrics-port", "0", "--drain-delay-s", "0", "--log-level", "warning", *flags]
    process = subprocess.Popen(command, env=environment)
    target = f"127.0.0.1:{port}"
    try:
        _wait_until_ready(target, process)
        yield target, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def resident_mib(pid: int | None = None) -> float:
    """Memory of a process, default: this one, in MiB: what is its own, without files that are only mapped."""
    status = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that the threads of a process have taken, to the nanosecond; of those that have not ended."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def _wait_until_ready(target: str, process: subprocess.Popen[bytes]) -> None:
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
