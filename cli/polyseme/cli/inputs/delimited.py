"""Read texts from CSV and TSV, as Python's csv module reads them. Only one record at a time is in memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.content import Content
from polyseme.cli.inputs.lines import MAX_LINE_BYTES, decoded_lines
from polyseme.cli.inputs.records import Record, listed


class DelimitedInput:
    """The columns of a CSV or TSV file that are read.

    Args of the constructor: the input; the column of texts, a name from the header or an index from 0; the same, of
    columns to keep; whether the first record is a header; the character between columns.

    Attributes:
        keep: names of the columns to keep; their numbers where there is no header.

    Raises:
        CliError: there is no such column, or more than one.
    """

    def __init__(
        self, content: Content, column: str, keep: Sequence[str] = (), *, header: bool = True, delimiter: str = ","
    ) -> None:
        csv.field_size_limit(MAX_LINE_BYTES)
        self._content, self._header, self._delimiter = content, header, delimiter
        self._names = (_next(content, self._reader()) or []) if header else None
        self._index, *self._kept = (_index_of(each, self._names, content.name) for each in (column, *keep))
        self.keep = tuple(str(index) if self._names is None else self._names[index] for index in self._kept)

    def records(self) -> Iterator[Record]:
        """Read one text from each record; skip blank lines.

        Raises:
            CliError: the file is not CSV.
        """
        lines = self._reader()
        if self._header:
            _next(self._content, lines)
        while (fields := _next(self._content, lines)) is not None:
            if not fields:
                continue
            if problem := self._problem(fields):
                yield Record("", lines.line_num, problem)
            else:
                yield Record(fields[self._index], lines.line_num, kept=tuple(fields[each] for each in self._kept))

    def _reader(self) -> Any:  # noqa: ANN401  csv's reader has no type of its own
        return csv.reader(decoded_lines(self._content), strict=True, delimiter=self._delimiter)

    def _problem(self, fields: Sequence[str]) -> str | None:
        names = self._names
        if names is not None and any(fields[len(names) :]):  # a text with a delimiter in it would lose its end
            return f"has {len(fields)} fields; the header has {len(names)}"
        for flag, each in (("--column", self._index), *(("--keep", each) for each in self._kept)):
            if each >= len(fields):
                return f"has {len(fields)} fields; {flag} is field {each + 1}"
        return None


def _next(content: Content, lines: Any) -> list[str] | None:  # noqa: ANN401  csv's reader has no type of its own
    try:
        return next(lines, None)
    except csv.Error as error:
        raise CliError(f"{content.name} line {lines.line_num} is not CSV: {error}", 2) from None


def _index_of(column: str, names: Sequence[str] | None, name: str) -> int:
    """Find a column; without a header only its index counts."""
    found = [] if names is None else [index for index, each in enumerate(names) if each == column]
    if len(found) > 1:
        places = " and ".join(map(str, found))
        raise CliError(f"{name} has {len(found)} columns {column}, at {places}; name one by its number", 2)
    if found:
        return found[0]
    if column.isascii() and column.isdigit() and (names is None or int(column) < len(names)):
        return int(column)
    if names is None:  # the first record is not listed: it is a text
        raise CliError(f"{name} has no column {column}; with --no-header a column is a number from 0", 2)
    hint = "; --delimiter says what is between columns" if len(names) == 1 else ""
    raise CliError(f"{name} has no column {column}; it has {listed(names)}{hint}", 2)
