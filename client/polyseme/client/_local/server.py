"""Start a local server, or find the one that runs; it is there as long as anybody uses it.

Everybody who uses it holds a shared lock on a file, which the kernel drops when the process is killed; a forked process
holds it too. The server ends when nobody does. It holds a lock of its own, so that only one is started.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
import weakref
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from polyseme.client._convert.health import HealthStatus
from polyseme.client._convert.requests import checked_timeout
from polyseme.client._local.folder import SOCKET, private_folder
from polyseme.client._local.request import Request
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.server import READINESS, plan_health
from polyseme.client._transport.blocking.transport import SyncTransport
from polyseme.client._transport.channel import health_channel_options
from polyseme.client._transport.connection import Connection
from polyseme.client._transport.forks import FORKS
from polyseme.client.errors import DeadlineExceededError, LocalServerError, UnavailableError

LOG: Final = "log"
"""The file of what the server says."""
_USERS: Final = "users"
_RUNS: Final = "server"
_OWN_FLAGS: Final = ("--port=-1", "--metrics-port=0", "--drain-delay-s=0")
_LOOK_EVERY_S: Final = 0.05
_ASK_TIMEOUT_S: Final = 5.0
_LAST_LINES: Final = 3
_LAST_BYTES: Final = 8192


class LocalServer:
    """A local server that is used until `release` is called, or until this object is garbage.

    Attributes:
        target: its socket, as a client names it.
    """

    def __init__(self, folder: Path) -> None:
        """Open the file of its users.

        Raises:
            LocalServerError: it cannot be opened.
        """
        self.target = f"unix:{quote(os.fsencode(folder / SOCKET))}"  # a URI, to gRPC
        try:
            self.users = os.open(folder / _USERS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LocalServerError(f"cannot open {folder / _USERS}: {error.strerror}") from error
        self.release = weakref.finalize(self, os.close, self.users)


def use_server(request: Request, timeout: float) -> LocalServer:
    """Use the server that serves what is asked for; start one where none runs.

    Args:
        request: what is asked for.
        timeout: seconds until it is ready; math.inf: no limit.

    Raises:
        LocalServerError: it ended before it was ready; the message has its last lines.
        DeadlineExceededError: it was not ready in time.
    """
    limit = checked_timeout(timeout, timeout)
    folder = private_folder(request.key, os.environ)
    server = LocalServer(folder)
    try:
        _join(server, request, folder, _Patience(request, folder, limit))
    except BaseException:
        server.release()
        raise
    return server


def _join(server: LocalServer, request: Request, folder: Path, patience: _Patience) -> None:
    while not _lock(server.users, fcntl.LOCK_SH):  # a server that ends holds it until it is gone
        patience.wait()
    with closing(_Probe(server.target, folder / SOCKET)) as probe:
        started = False
        while not probe.is_serving():
            if _is_running(folder):
                patience.wait()
            elif started:
                raise LocalServerError(f"{request.source}: the server ended: {_last_lines(folder)}")
            else:
                started = _start(request, folder)


def _start(request: Request, folder: Path) -> bool:
    """Start a server in a session of its own, which Ctrl-C and the end of a terminal spare; False: another one began.

    It inherits the lock that tells that it runs; a fork at the same time, which would inherit it too, waits.

    Raises:
        LocalServerError: the system refuses.
    """
    flags = [f"--listen=unix:{folder / SOCKET}", f"--users-lock={folder / _USERS}", *_OWN_FLAGS, *request.flags]
    command = [sys.executable, "-P", "-m", "polyseme.cli.main", "serve", *flags, "--", request.source]
    environment = {name: value for name, value in os.environ.items() if _is_for_server(name)}
    try:
        with FORKS, (folder / _RUNS).open("a") as lock:
            if not _lock(lock.fileno(), fcntl.LOCK_EX):
                return False
            with (folder / LOG).open("w") as log:
                process = subprocess.Popen(  # noqa: S603
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[lock.fileno()],
                    start_new_session=True,
                )
    except OSError as error:
        raise LocalServerError(f"cannot start {sys.executable or 'Python'}: {error.strerror}") from error
    # Ends with the server, or with this process; without it the server would be left as a zombie.
    threading.Thread(target=process.wait, name="polyseme-server", daemon=True).start()
    return True


def _is_for_server(variable: str) -> bool:
    """Leave settings out: those of the server are the caller's arguments alone."""
    return not variable.startswith("POLYSEME_") or variable == "POLYSEME_CACHE"


def _is_running(folder: Path) -> bool:
    with (folder / _RUNS).open("a") as lock:
        return not _lock(lock.fileno(), fcntl.LOCK_SH)


def _lock(descriptor: int, kind: int) -> bool:
    """Lock a file; False: others hold a lock that excludes it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_lines(folder: Path) -> str:
    """Give the last lines of its log as one."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(-min(_LAST_BYTES, log.seek(0, os.SEEK_END)), os.SEEK_END)
            lines = log.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    return " | ".join([line.strip() for line in lines if line.strip()][-_LAST_LINES:]) or "it said nothing"


class _Patience:
    """Waits in small steps until the time is up."""

    def __init__(self, request: Request, folder: Path, limit: float | None) -> None:
        self._request = request
        self._folder = folder
        self._limit = limit
        self._began = time.monotonic()

    def wait(self) -> None:
        """Wait one step.

        Raises:
            DeadlineExceededError: the time is up.
        """
        if self._limit is not None and time.monotonic() - self._began > self._limit:
            raise DeadlineExceededError(
                f"{self._request.source}: the server was not ready within {self._limit:g} s (start_timeout): "
                f"{_last_lines(self._folder)}"
            )
        time.sleep(_LOOK_EVERY_S)


class _Probe:
    """Asks a server whether it takes calls."""

    def __init__(self, target: str, socket: Path) -> None:
        self._socket = socket
        self._defaults = Defaults(target=target, model=None, timeout=_ASK_TIMEOUT_S)
        connection = Connection(target, credentials=None, token=None, options=())
        self._transport = SyncTransport(connection, health_channel_options(connection.options))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def is_serving(self) -> bool:
        """Ask once."""
        if not self._socket.exists():
            return False
        try:
            status = self._transport.run(plan_health(self._defaults, READINESS, timeout=None))
        except (UnavailableError, DeadlineExceededError):
            return False
        return status is HealthStatus.SERVING
