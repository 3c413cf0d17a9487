"""A Unix socket that nobody but the server's user can connect to: its file has mode 0600."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from polyseme.server.errors import ConfigError

_SCHEME: Final = "unix:"
_MAX_PATH_BYTES: Final = 107  # `sun_path` of unix(7) has 108, the last is a NUL
_ANSWER_S: Final = 5.0  # a process that takes longer to accept has a full backlog, so it is there


def socket_path(listen: str) -> str:
    """Give the path of `unix:PATH`."""
    return listen.removeprefix(_SCHEME)


def grpc_address(listen: str) -> str:
    """Spell `unix:PATH` as gRPC reads it, which is as a URI: `%`, `?` and spaces are escaped."""
    return _SCHEME + quote(os.fsencode(socket_path(listen)))


def make_room(listen: str) -> None:
    """Check that a socket can be bound, and remove a stale one of a server that is gone.

    gRPC alone would remove the socket of a server that runs, too. Of two servers that start at the same instant the
    later one may still take the path: between the check and the bind nothing is locked.

    Raises:
        ConfigError: the path is too long, a server answers there, something else than a socket is there, or the folder
            cannot be written to.
    """
    path = socket_path(listen)
    size = len(os.fsencode(path))
    if size > _MAX_PATH_BYTES:
        raise ConfigError(f"--listen: the path of the socket has {size} bytes; limit {_MAX_PATH_BYTES}")
    try:
        _remove_stale(path)
        with socket.socket(socket.AF_UNIX) as probe, owner_only():
            probe.bind(path)
        Path(path).unlink()
    except OSError as error:
        raise ConfigError(f"cannot listen on {listen}: {error.strerror or error}") from error


@contextmanager
def owner_only() -> Iterator[None]:
    """Let sockets that are bound inside have mode 0600 from the first moment. The mask is that of the whole process."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _remove_stale(path: str) -> None:
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EADDRINUSE, "the file there is no socket")
    if _answers(path):
        raise OSError(errno.EADDRINUSE, "another process listens there")
    Path(path).unlink()


def _answers(path: str) -> bool:
    """Say whether a process listens on a socket."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(_ANSWER_S)
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            return False
        except TimeoutError:
            return True
    return True
