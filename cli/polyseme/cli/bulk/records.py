"""Read texts from files that consist of lines: text, JSON lines, CSV. Only one record at a time is in memory.

Lines end with LF or CRLF; no other character ends one, not U+2028, not a form feed. A byte order mark is left out.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from polyseme.cli.errors import CliError

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_LINE_BYTES: Final = 64 << 20  # the largest text that a server can be configured to take
_BOM: Final = b"\xef\xbb\xbf"


class Record(NamedTuple):
    """One text of the input.

    Attributes:
        text: the text; "" where it cannot be read.
        number: number of its line (CSV: of its last line), or of its row in a Parquet file; from 1.
        problem: the reason why it cannot be read; holds no part of it.
    """

    text: str
    number: int
    problem: str | None = None


class Row(NamedTuple):
    """One row of the output: a record with its vector, or the reason why there is none.

    Attributes:
        position: index of the row, from 0.
        record: the record that it was made from.
        vector: [D], or [ceil(D / 8)] uint8 for packed bits; None: there is none.
        status: the name of a gRPC status; "OK" if there is a vector.
        problem: the reason why there is no vector; holds no part of the text.
    """

    position: int
    record: Record
    vector: npt.NDArray[Any] | None
    status: str = "OK"
    problem: str | None = None


def text_records(file: IO[bytes], name: str) -> Iterator[Record]:
    """Read one text a line; an empty line is an empty text."""
    return _records(file, name, lambda line: line, "")


def json_records(file: IO[bytes], name: str, field: str) -> Iterator[Record]:
    """Read one object a line, whose `field` is the text."""

    def parse(line: str) -> str | None:
        try:
            text = json.loads(line)[field]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return text if isinstance(text, str) else None

    return _records(file, name, parse, f'is not {{"{field}": ...}}')


def csv_records(file: IO[bytes], name: str, column: str, *, header: bool) -> Iterator[Record]:
    """Read one text from each record of Python's csv module; skip blank lines.

    Args:
        file: the file, opened for bytes.
        name: name of the file in errors.
        column: a name from the header, or an index from 0.
        header: whether the first record is a header.

    Raises:
        CliError: there is no such column; while reading: the file is not CSV.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = csv.reader(_decoded(file, name), strict=True)
    try:
        names = next(lines, []) if header else []
    except csv.Error as error:
        raise CliError(f"{name} line {lines.line_num} is not CSV: {error}", 2) from None
    is_index = column.isascii() and column.isdigit()
    if column not in names and not (is_index and (not header or int(column) < len(names))):
        # The names are not listed: if the file has no header, they are texts.
        raise CliError(f"{name} has no column {column}; --column takes a name of the header, or an index from 0", 2)
    index = names.index(column) if column in names else int(column)

    def records() -> Iterator[Record]:
        try:
            for fields in lines:
                if index < len(fields):
                    yield Record(fields[index], lines.line_num)
                elif fields:
                    yield Record("", lines.line_num, f"has {len(fields)} fields; --column is field {index + 1}")
        except csv.Error as error:
            raise CliError(f"{name} line {lines.line_num} is not CSV: {error}", 2) from None

    return records()


def _records(file: IO[bytes], name: str, parse: Callable[[str], str | None], problem: str) -> Iterator[Record]:
    for number, raw in _numbered(file, name):
        line = raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
        try:
            text = parse(line.decode())
        except UnicodeDecodeError as error:
            yield Record("", number, f"is not UTF-8: byte {error.start}")
        else:
            yield Record("", number, problem) if text is None else Record(text, number)


def _numbered(file: IO[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """Read lines with their ends, numbered from 1.

    Raises:
        CliError: the file cannot be read, or a line is longer than a text can be.
    """
    number = 0
    while True:
        try:
            raw = file.readline(MAX_LINE_BYTES + 1)
        except OSError as error:
            raise CliError(f"cannot read {name}: {error.strerror}") from error
        if not raw:
            return
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise CliError(f"{name} line {number} has more than {MAX_LINE_BYTES} bytes", 2)
        yield number, raw.removeprefix(_BOM) if number == 1 else raw


def _decoded(file: IO[bytes], name: str) -> Iterator[str]:
    for number, raw in _numbered(file, name):
        try:
            yield raw.decode()
        except UnicodeDecodeError as error:
            raise CliError(f"{name} line {number} is not UTF-8: byte {error.start}", 2) from None
