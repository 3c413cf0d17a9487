"""Ends a server that nobody uses any more. Standard library alone: it begins before anything heavy is imported."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import Final

from polyseme.server.errors import ConfigError

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0


def end_without_users(path: Path) -> None:
    """End this process by SIGTERM once nobody holds a shared lock, of flock(2), on a file.

    The kernel drops the locks of a process that is killed. This process keeps the file locked while it ends: whoever
    wants a shared lock waits until it is gone, and can start another server then. A file that was removed, as old
    ones in folders for temporary files are, is let go for the one that the next user put there.

    Raises:
        ConfigError: the file cannot be opened.
    """
    try:
        descriptor = _open(path)
    except OSError as error:
        raise ConfigError(f"--users-lock {path}: {error.strerror}") from error
    threading.Thread(target=_end, args=(path, descriptor), name="users", daemon=True).start()


def _end(path: Path, descriptor: int) -> None:
    while True:
        if not _locked(descriptor):
            time.sleep(_LOOK_EVERY_S)
        elif (newer := _opened_newer(path, descriptor)) is not None:
            os.close(descriptor)
            descriptor = newer
        else:
            break
    log.info("nobody uses this server any more")
    os.kill(os.getpid(), signal.SIGTERM)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _opened_newer(path: Path, descriptor: int) -> int | None:
    """Open the file that lies there in place of one that was removed; None: there is none."""
    try:
        newer = _open(path)
    except OSError:
        return None
    if not os.path.sameopenfile(newer, descriptor):
        return newer
    os.close(newer)
    return None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
