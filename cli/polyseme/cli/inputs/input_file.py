"""Open an input by its format, and read its records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.content import Content, open_content
from polyseme.cli.inputs.delimited import DelimitedInput
from polyseme.cli.inputs.formats import check_no_input, delimiter_of, format_of
from polyseme.cli.inputs.lines import text_records
from polyseme.cli.inputs.objects import json_array_records, json_line_records
from polyseme.cli.inputs.pairs import with_second
from polyseme.cli.inputs.parquet import ParquetInput
from polyseme.cli.inputs.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """An open input.

    Attributes:
        content: its bytes.
        unit: "line", "record" or "entry", in which messages count.
        records: reads its records from the beginning; one reading at a time.
        rows: number of records; for lines of CSV and JSON an upper bound.
        keep: names of the columns whose values its records keep.
        identity: format, hash and options: records are the same again if these are.
        parquet: the columns of a Parquet file; None: it is another format.
    """

    content: Content
    unit: str
    records: Callable[[], Iterator[Record]]
    rows: int
    keep: tuple[str, ...]
    identity: dict[str, Any]
    parquet: ParquetInput | None = None

    @property
    def name(self) -> str:
        """The name in messages."""
        return self.content.name


@contextmanager
def open_input(args: argparse.Namespace, source: str) -> Iterator[InputFile]:
    """Open an input, and read it through once for its hash.

    Args:
        args: the arguments of `add_format_arguments`, of which some may be missing.
        source: path of a file; "-": stdin.

    Raises:
        CliError: it cannot be read, or an argument does not fit its format.
    """
    kind = format_of(args, "stdin" if source == "-" else source)
    with open_content(source, is_text=kind != "parquet") as content:
        input_file = _input_of(args, content, kind)
        second = getattr(args, "second_from", None)
        yield input_file if second is None else _paired(input_file, second)


def records_from(args: argparse.Namespace) -> tuple[list[Record], tuple[str, ...]]:
    """Read all texts of TEXT, --input or stdin into memory.

    Returns:
        The records, and the names of the columns that they keep.

    Raises:
        CliError: there are no texts, there are two sources, or a text cannot be read.
    """
    if args.texts and args.input:
        raise CliError("texts come from the command line or from --input, not both", 2)
    if args.texts:
        check_no_input(args)
        return [Record(text, number) for number, text in enumerate(args.texts, 1)], ()
    if args.input is None and sys.stdin.isatty():
        raise CliError("no texts: give them as arguments, with --input FILE, or on stdin", 2)
    with open_input(args, args.input or "-") as input_file:
        if input_file.parquet:
            input_file.parquet.check_json()
        records = list(input_file.records())
    for record in records:
        if record.problem is not None:
            raise CliError(f"{input_file.name} {input_file.unit} {record.number} {record.problem}", 2)
    if not records:
        raise CliError(f"{input_file.name} has no texts", 2)
    return records, input_file.keep


def texts_from(args: argparse.Namespace) -> list[str]:
    """Read all texts of TEXT, --input or stdin into memory.

    Raises:
        CliError: as `records_from`.
    """
    return [record.text for record in records_from(args)[0]]


def _input_of(args: argparse.Namespace, content: Content, kind: str) -> InputFile:
    keep = tuple(getattr(args, "keep", None) or ())
    if (second := getattr(args, "second_from", None)) is not None:  # read like a column to keep
        keep = (*keep, second)
    field, column = getattr(args, "field", None) or "text", getattr(args, "column", None) or "text"
    identity: dict[str, Any] = {"format": kind, "sha256": content.sha256}
    if keep:
        identity["keep"] = list(keep)
    unit, rows, parquet = "line", content.lines, None
    records: Callable[[], Iterator[Record]]
    match kind:
        case "jsonl" | "json":
            identity["field"] = field
            if kind == "json":
                unit, array = "entry", json_array_records(content, field, keep)
                rows, records = len(array), lambda: iter(array)
            else:
                records = lambda: json_line_records(content, field, keep)  # noqa: E731
        case "csv" | "tsv":
            header, delimiter = not getattr(args, "no_header", None), delimiter_of(args, kind)
            identity |= {"column": column, "header": str(header)}
            if delimiter != ("\t" if kind == "tsv" else ","):
                identity["delimiter"] = delimiter
            table = DelimitedInput(content, column, keep, header=header, delimiter=delimiter)
            records, keep = table.records, table.keep
            rows -= header
        case "parquet":
            identity["column"] = column
            parquet = ParquetInput(content, column, keep)
            unit, rows, records, keep = "record", parquet.rows, parquet.records, parquet.keep
        case _:
            records = lambda: text_records(content)  # noqa: E731
    return InputFile(
        content=content, unit=unit, records=records, rows=rows, keep=keep, identity=identity, parquet=parquet
    )


def _paired(single: InputFile, second: str) -> InputFile:
    """Take the last column to keep as second texts."""
    return replace(
        single,
        records=lambda: with_second(single.records(), second),
        keep=single.keep[:-1],
        identity={**single.identity, "second": second},
    )
