"""Open the input: find its format, hash it, read its records."""

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
class InputFile:
    """An open input file.

    Attributes:
        name: name in messages.
        unit: "line" or "record", in which messages count.
        records: its records; can be read once.
        rows: number of records; for CSV an upper bound.
        identity: format, hash and options: texts are the same again if these are.
        file: the file itself.
        stat: size and time of the file when it was opened.
    """

    name: str
    unit: str
    records: Iterator[Record]
    rows: int
    identity: dict[str, str]
    file: IO[bytes]
    stat: os.stat_result

    def check_unchanged(self) -> None:
        """Check that nobody wrote to the file while it was read.

        Raises:
            CliError: somebody did.
        """
        now = os.fstat(self.file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.stat.st_size, self.stat.st_mtime_ns):
            raise CliError(f"{self.name} changed while it was read; use --restart", 2)


@contextmanager
def open_input(args: argparse.Namespace) -> Iterator[InputFile]:
    """Open the file that --input names, and read it through once for its hash.

    Raises:
        CliError: the file cannot be read, or an argument does not fit its format.
    """
    name, kind = args.input, format_of(args)
    try:
        file = Path(name).open("rb")  # noqa: SIM115  closed below, where an OSError is not about opening this file
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
        yield InputFile(
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
        CliError: a text cannot be read, or there is none.
    """
    texts = []
    with open_input(args) as input_file:
        for record in input_file.records:
            if record.problem is not None:
                raise CliError(f"{input_file.name} {input_file.unit} {record.number} {record.problem}", 2)
            texts.append(record.text)
    if not texts:
        raise CliError(f"{args.input} has no texts", 2)
    return texts


def _read_through(file: IO[bytes]) -> tuple[str, int]:
    """Compute the SHA-256 and count the lines; go back to the beginning."""
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
        lines, last = lines + block.count(b"\n"), block[-1:]
    file.seek(0)
    return digest.hexdigest(), lines + (last != b"\n")
