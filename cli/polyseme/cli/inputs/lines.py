"""Read an input line by line. Only one line at a time is in memory.

Lines end with LF or CRLF; no other character ends one, not U+2028, not a form feed. A byte order mark is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.content import READ_ERRORS, Content, unreadable
from polyseme.cli.inputs.records import Record

MAX_LINE_BYTES: Final = 64 << 20  # the largest text that a server can be configured to take
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def text_records(content: Content) -> Iterator[Record]:
    """Read one text a line; an empty line is an empty text."""
    return records_of_lines(content, Record)


def records_of_lines(content: Content, parse: Callable[[str, int], Record | None]) -> Iterator[Record]:
    """Make a record of each line, given without its end and with its number from 1; None: the line holds none."""
    for number, raw in _numbered(content):
        line = raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            yield Record("", number, f"is not UTF-8: byte {error.start}")
            continue
        if (record := parse(text, number)) is not None:
            yield record


def decoded_lines(content: Content) -> Iterator[str]:
    """Read lines with their ends.

    Raises:
        CliError: a line is not UTF-8.
    """
    for number, raw in _numbered(content):
        try:
            yield raw.decode()
        except UnicodeDecodeError as error:
            raise CliError(f"{content.name} line {number} is not UTF-8: byte {error.start}", 2) from None


def _numbered(content: Content) -> Iterator[tuple[int, bytes]]:
    """Read lines with their ends, numbered from 1.

    Raises:
        CliError: the input cannot be read, or a line is longer than a text can be.
    """
    content.file.seek(0)
    number = 0
    while True:
        try:
            raw = content.file.readline(MAX_LINE_BYTES + 1)
        except READ_ERRORS as error:
            raise unreadable(content.name, error) from error
        if not raw:
            return
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise CliError(f"{content.name} line {number} has more than {MAX_LINE_BYTES} bytes", 2)
        yield number, raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw
