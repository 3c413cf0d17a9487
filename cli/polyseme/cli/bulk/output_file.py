"""The file that is being written, and what a crash at any moment leaves of it.

OUT.partial holds rows, OUT.partial.errors.jsonl names those without a result, OUT.journal counts what both hold; OUT
comes last. To commit is

1. append rows and errors; 2. fsync both; 3. append a line to the journal; 4. fsync it.

A line of the journal is therefore always true: the bytes that it counts reached the disk before it did. Bytes that the
last whole line does not count may be there in part; opening the files again cuts them off, and the run goes on with the
first row that the line does not count. So no row is lost, and none is there twice.

To finish is 5. seal (see formats.py), with fsync; 6. a line of the journal that says so; 7. rename the report, then
OUT, fsync the folder; 8. remove the rest, the journal last. The next run does what a crash leaves undone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polyseme.cli.bulk.formats import Format, Row, json_line
from polyseme.cli.bulk.journal import Committed, Journal, sync_directory, write_at
from polyseme.cli.errors import CliError


class OutputFile:
    """The files of one output, locked. Its methods raise OSError as it comes.

    Raises:
        CliError: another process is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = beside(path, ".partial")
        # Parquet is made beside the partial file, all else in place.
        self._sealed = beside(path, ".partial.parquet") if path.suffix == ".parquet" else self._partial
        self._partial_report = beside(path, ".partial.errors.jsonl")
        self._report = beside(path, ".errors.jsonl")
        self._journal = Journal(beside(path, ".journal"))
        self._files: tuple[int, ...] = ()  # rows, errors

    def __enter__(self) -> Self:
        """Give the output itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close and unlock the files; what a later run can resume stays."""
        for file in self._files:
            os.close(file)
        self._journal.close()

    @property
    def job(self) -> dict[str, Any] | None:
        """The job of an earlier run; None: there was none."""
        return self._journal.job

    @property
    def committed(self) -> Committed:
        """The rows that are on the disk."""
        return self._journal.committed or Committed(rows=0, bytes=0, failed=0, error_bytes=0)

    @property
    def is_finished(self) -> bool:
        """True if an earlier run ended after OUT got its name, but before the other files were removed."""
        return self.committed.sealed and not self._sealed.exists() and self.path.exists()

    @property
    def can_resume(self) -> bool:
        """True if an earlier run left rows, or a complete file that lacks its name."""
        return self.committed.rows > 0 and (not self.committed.sealed or self._sealed.exists())

    def begin(self, job: dict[str, Any], format_: Format) -> None:
        """Begin anew. The journal is emptied first: it must not count bytes that are gone."""
        self._journal.clear()
        self._remove()
        self._open(0, 0)
        head = format_.head()
        write_at(self._files[0], head, 0)
        os.fsync(self._files[0])
        self._journal.begin(job, Committed(rows=0, bytes=len(head), failed=0, error_bytes=0))

    def resume(self) -> None:
        """Open the files where the journal ends.

        Raises:
            CliError: a file has fewer bytes than the journal counts.
        """
        if not self.committed.sealed:
            self._open(self.committed.bytes, self.committed.error_bytes)

    def commit(self, rows: Sequence[Row], unit: str, format_: Format) -> None:
        """Put the rows on the disk that are not there yet; `unit` is "line" or "record", a key in the report."""
        before = self.committed
        rows = [row for row in rows if row.position >= before.rows]
        if not rows:
            return
        failed = [
            json_line({"row": row.position, unit: row.record.number, "status": row.status, "message": row.problem})
            for row in rows
            if row.result is None
        ]
        data, errors = format_.encode(rows), "".join(failed).encode()
        contents = ((data, before.bytes), (errors, before.error_bytes))
        for file, (content, offset) in zip(self._files, contents, strict=True):
            if content:
                write_at(file, content, offset)
                os.fsync(file)
        self._journal.commit(
            Committed(
                rows=before.rows + len(rows),
                bytes=before.bytes + len(data),
                failed=before.failed + len(failed),
                error_bytes=before.error_bytes + len(errors),
            )
        )

    def finish(self, format_: Format) -> None:
        """Complete the file and give it its name."""
        if not self.committed.sealed:
            errors = self._partial_report.read_bytes().splitlines()
            format_.seal(self._partial, self._sealed, self.committed.rows, {json.loads(line)["row"] for line in errors})
            self._journal.commit(replace(self.committed, sealed=True))
        if self.committed.failed and self._partial_report.exists():
            self._partial_report.replace(self._report)
        elif not self.committed.failed:
            self._report.unlink(missing_ok=True)  # the report of the file that is replaced
        self._sealed.replace(self.path)
        sync_directory(self.path)
        self.discard()

    def discard(self) -> None:
        """Remove all but OUT and its report; the journal last, so that a crash leaves it to the next run."""
        self._remove()
        self._journal.remove()

    def _remove(self) -> None:
        for path in (self._partial, self._partial_report, self._sealed):
            path.unlink(missing_ok=True)

    def _open(self, *sizes: int) -> None:
        paths = (self._partial, self._partial_report)
        self._files = tuple(_opened(path, size) for path, size in zip(paths, sizes, strict=True))


def beside(path: Path, ending: str) -> Path:
    """Give the path of a file in the same folder: the name with an ending."""
    return path.with_name(path.name + ending)


def _opened(path: Path, size: int) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    found = os.fstat(file).st_size
    if found < size:
        os.close(file)
        raise CliError(f"{path} has {found} bytes, and its journal says {size}; use --restart", 2)
    os.ftruncate(file, size)
    return file
