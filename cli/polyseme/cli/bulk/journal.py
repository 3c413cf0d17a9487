"""The journal of an output: what is known to be on the disk, and the lock that keeps a second process out.

The journal is lines of JSON. The first line describes the job, each other line the rows that are finished. The last
whole line is valid: a line that a crash cut off has no end or is no JSON, and is removed when the journal is opened.
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
class Committed:
    """The rows that are on the disk.

    Attributes:
        rows: number of rows.
        bytes: bytes of the partial file that hold them.
        failed: number of rows without a result.
        error_bytes: bytes of the partial report that name these.
        sealed: whether the file is complete, and only lacks its name.
    """

    rows: int
    bytes: int
    failed: int
    error_bytes: int
    sealed: bool = False


class Journal:
    """The journal of one output, locked until it is closed.

    Attributes:
        job: description of the output; None: nothing was begun.
        committed: the rows that are on the disk; None: nothing was begun.

    Raises:
        CliError: another process has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _locked(path)
        self._bytes = 0  # in whole lines
        self.job: dict[str, Any] | None = None
        self.committed: Committed | None = None
        self._read()

    def clear(self) -> None:
        """Empty the journal, on the disk too: the files beside it count for nothing from then on."""
        self.job = self.committed = None
        self._bytes = 0
        os.ftruncate(self._file, 0)
        os.fsync(self._file)

    def begin(self, job: dict[str, Any], committed: Committed) -> None:
        """Write down the job; the caller has put the committed bytes on the disk."""
        self._append(job)
        self.job = job
        self.commit(committed)
        sync_directory(self._path)

    def commit(self, committed: Committed) -> None:
        """Write down the rows that the caller has put on the disk."""
        self._append(asdict(committed))
        os.fsync(self._file)
        self.committed = committed

    def remove(self) -> None:
        """Remove the journal; close() is all that may follow."""
        self.job = self.committed = None
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Unlock the journal; remove it if nothing was begun."""
        if self.committed is None:
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
                if not line.endswith(b"\n") or not self._read_line(line):
                    break
                self._bytes += len(line)
        if self.committed is None:
            self.job, self._bytes = None, 0
        os.ftruncate(self._file, self._bytes)

    def _read_line(self, line: bytes) -> bool:
        try:
            entry = json.loads(line)
            if self.job is None:
                self.job = dict(entry)
            else:
                self.committed = Committed(**entry)
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
    """Write all data at an offset: a write that Ctrl-C cut short may be repeated."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def sync_directory(path: Path) -> None:
    """Bring the names of files in the directory of `path` to the disk."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
