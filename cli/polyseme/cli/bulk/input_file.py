"""The input: which format it has, what makes it the same input again, and its records."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from polyseme.cli.bulk.arguments import format_of
from polyseme.cli.bulk.parquet import parquet_records
from polyseme.cli.bulk.records import Record, csv_records, json_records, text_records
from polyseme.cli.errors import CliError

_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that is open.

    Attributes:
        name: for messages.
        unit: what its records are counted in.
        records: to be read once.
        rows: how many there are; of CSV at most so many.
        identity: what must be the same for the texts to be the same again.
        file: what it is read from.
        stat: what the file was when it was opened.
    """

    name: str
    unit: str
    records: Iterator[Record]
    rows: int
    identity: dict[str, str]
    file: IO[bytes]
    stat: os.stat_result

    def check_unchanged(self) -> None:
        """Hold that it was not written to while it was read.

        Raises:
            CliError: it was.
        """
        now = os.fstat(self.file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.stat.st_size, self.stat.st_mtime_ns):
            raise CliError(f"{self.name} changed while it was read; use --restart", 2)


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Source]:
    """Open the file that --input names, and read it once through for its hash.

    Raises:
        CliError: it cannot be read, or an argument does not fit its format.
    """
    name, kind = args.input, format_of(args)
    try:
        file = Path(name).open("rb")  # noqa: SIM115  closed below; what is raised there is not about this file
        stat, (sha256, lines) = os.fstat(file.fileno()), _read_through(file)
    except OSError as error:
        raise CliError(f"cannot read {name}: {error.strerror}", 2) from error
    with file:
        identity = {"format": kind, "sha256": sha256}
        column, rows = args.column or "text", lines
        match kind:
            case "jsonl":
                identity["field"] = args.field or "text"
                records = json_records(file, name, identity["field"])
            case "csv":
                identity |= {"column": column, "header": str(not args.no_header)}
                records, rows = csv_records(file, name, column, header=not args.no_header), lines - (not args.no_header)
            case "parquet":
                identity["column"] = column
                rows, records = parquet_records(file, name, column)
            case _:
                records = text_records(file, name)
        yield Source(
            name=name,
            unit="record" if kind == "parquet" else "line",
            records=records,
            rows=rows,
            identity=identity,
            file=file,
            stat=stat,
        )


def texts_of(args: argparse.Namespace) -> list[str]:
    """Read all texts of --input FILE into memory.

    Raises:
        CliError: one cannot be read, or there is none.
    """
    texts = []
    with opened(args) as source:
        for record in source.records:
            if record.problem is not None:
                raise CliError(f"{source.name} {source.unit} {record.number} {record.problem}", 2)
            texts.append(record.text)
    if not texts:
        raise CliError(f"{args.input} has no texts", 2)
    return texts


def _read_through(file: IO[bytes]) -> tuple[str, int]:
    """Give SHA-256 and lines, and go back to the beginning."""
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
        lines, last = lines + block.count(b"\n"), block[-1:]
    file.seek(0)
    return digest.hexdigest(), lines + (last != b"\n")
