"""A folder that no other user can look into, for the socket of a local server."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from polyseme.client.errors import LocalServerError

SOCKET: Final = "socket"
_MAX_PATH_BYTES: Final = 107  # `sun_path` of unix(7) has 108, the last is a NUL


def private_folder(key: str, environment: Mapping[str, str]) -> Path:
    """Make a folder with mode 0700: in $XDG_RUNTIME_DIR, else in the folder for temporary files.

    Raises:
        LocalServerError: it cannot be made, others can look into it, or its path is too long for a socket.
    """
    runtime = Path(environment.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and _is_own(runtime):
        root = runtime / "polyseme"
    else:
        root = Path(tempfile.gettempdir()) / f"polyseme-{os.geteuid()}"
    folder = root / key
    size = len(os.fsencode(folder / SOCKET))
    if size > _MAX_PATH_BYTES:
        raise LocalServerError(
            f"the path of the socket below {root} has {size} bytes; limit {_MAX_PATH_BYTES}; set XDG_RUNTIME_DIR"
        )
    for each in (root, folder):
        _make_private(each)
    return folder


def _is_own(folder: Path) -> bool:
    """Say whether it is this user's: su and sudo may leave another one's in the environment."""
    try:
        return folder.is_dir() and folder.stat().st_uid == os.geteuid()
    except PermissionError:
        return False


def _make_private(folder: Path) -> None:
    """Make a folder, or check that the one there is this user's alone: another user may have made it before."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise LocalServerError(f"cannot make {folder}: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise LocalServerError(f"{folder} is not a folder that this user alone can open; set XDG_RUNTIME_DIR")
