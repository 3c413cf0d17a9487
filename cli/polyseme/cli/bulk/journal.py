"""What is known to be on the disk: lines of JSON that are appended, and the lock that keeps a second process out.

The first line says what is being made, each other one how far it is. The last whole line holds: a line that a crash cut
off has no end or is no JSON, and is cut off for good when the journal is opened.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from polyseme.cli.errors import CliError


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far it is.

    Attributes:
        rows: finished.
        bytes: of the partial file that hold them.
        failed: rows without a vector.
        error_bytes: of the partial report that name these.
        sealed: whether nothing is missing but the file's name.
    """

    rows: int
    bytes: int
    failed: int
    error_bytes: int
    sealed: bool = False


class Journal:
    """The journal of one output, locked until it is closed.

    Attributes:
        job: what is being made; None where nothing was begun.
        state: how far it is.

    Raises:
        CliError: another process has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _locked(path)
        self._bytes = 0  # of whole lines
        self.job: dict[str, Any] | None = None
        self.state: State | None = None
        self._read()

    def clear(self) -> None:
        """Forget all, on the disk too: from here on the files beside it mean nothing."""
        self.job = self.state = None
        self._bytes = 0
        os.ftruncate(self._file, 0)
        os.fsync(self._file)

    def begin(self, job: dict[str, Any], state: State) -> None:
        """Write down what is being made; what the state says is on the disk."""
        self._append(job)
        self.job = job
        self.commit(state)
        sync_directory(self._path)

    def commit(self, state: State) -> None:
        """Write down how far it is; all of that is on the disk."""
        self._append(asdict(state))
        os.fsync(self._file)
        self.state = state

    def remove(self) -> None:
        """Take it away; there is nothing to be done with it but to close it."""
        self.job = self.state = None
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Unlock; a journal that says nothing does not stay."""
        if self.state is None:
            self.remove()
        os.close(self._file)

    def _append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry).encode() + b"\n"
        write_at(self._file, line, self._bytes)
        self._bytes += len(line)

    def _read(self) -> None:
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            for line in file:
                if not line.endswith(b"\n") or not self._take(line):
                    break
                self._bytes += len(line)
        if self.state is None:
            self.job, self._bytes = None, 0
        os.ftruncate(self._file, self._bytes)

    def _take(self, line: bytes) -> bool:
        try:
            entry = json.loads(line)
            if self.job is None:
                self.job = dict(entry)
            else:
                self.state = State(**entry)
        except (ValueError, TypeError):
            return False
        return True


def _locked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have finished and removed it in between: then this lock is on no file.
            if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
                return file
        except BlockingIOError:
            os.close(file)
            raise CliError(f"another process is writing {path.name.removesuffix('.journal')}", 2) from None
        os.close(file)


def write_at(file: int, data: bytes, offset: int) -> None:
    """Write all of it, at an offset: a write that Ctrl-C cut short may be done again."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def sync_directory(path: Path) -> None:
    """Bring names of files in the directory of `path` to the disk."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
