"""The formats of inputs, how a file's name tells them, and the arguments that belong to each."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from polyseme.cli.errors import CliError

FORMATS: Final = ("text", "jsonl", "json", "csv", "tsv", "parquet")
GZIP: Final = ".gz"
_BY_SUFFIX: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_OPTIONS_OF: Final = {
    "field": ("jsonl", "json"),
    "column": ("csv", "tsv", "parquet"),
    "no_header": ("csv", "tsv"),
    "delimiter": ("csv",),
    "keep": ("jsonl", "json", "csv", "tsv", "parquet"),
    "second_from": ("jsonl", "json", "csv", "tsv", "parquet"),
}
# Files whose lines are syntax, or no text at all.
_NOT_READ: Final = frozenset((
    ".7z", ".arrow", ".avro", ".bz2", ".db", ".doc", ".docx", ".dta", ".feather", ".h5", ".hdf5", ".htm", ".html",
    ".ipc", ".json5", ".npy", ".npz", ".numbers", ".ods", ".odt", ".orc", ".pdf", ".pickle", ".pkl", ".pptx", ".psv",
    ".rds", ".rtf", ".safetensors", ".sav", ".sqlite", ".sqlite3", ".tar", ".tgz", ".toml", ".xls", ".xlsx", ".xml",
    ".xz", ".yaml", ".yml", ".zip", ".zst",
))  # fmt: skip


def add_format_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that say how an input is read."""
    group = parser.add_argument_group("format of the input")
    group.add_argument(
        "--format",
        choices=FORMATS,
        help="format of --input FILE or stdin [by the suffix, else text: one a line]",
    )
    group.add_argument("--field", metavar="NAME", help="name of the field that holds the text, in JSON [text]")
    group.add_argument(
        "--column",
        metavar="NAME|N",
        help="column that holds the text, in CSV, TSV or Parquet: a name, or a number from 0 [text]",
    )
    group.add_argument("--delimiter", metavar="C", help="character between the columns of CSV [,]")
    group.add_argument(
        "--no-header",
        action="store_true",
        default=None,
        help="read the first line of CSV or TSV as a text: there are no column names",
    )


def add_keep_argument(parser: argparse._ActionsContainer) -> None:
    """Declare the argument that names columns to carry over to the output."""
    parser.add_argument(
        "--keep",
        metavar="NAME,...",
        type=_names,
        help="columns or fields of the input to copy into the output; not for .npy",
    )


def refuse_to_keep(keep: Sequence[str], own: Collection[str]) -> None:
    """Refuse columns to keep that the output has itself, or that are named twice.

    Raises:
        CliError: there is one.
    """
    for name in keep:
        if name in own:
            raise CliError(f"--keep {name}: the output has a {name} of its own", 2)
        if keep.count(name) > 1:
            raise CliError(f"--keep names {name} twice", 2)


def format_of(args: argparse.Namespace, name: str) -> str:
    """Find the format of an input: one of FORMATS.

    Args:
        args: the arguments of `add_format_arguments`, of which some may be missing.
        name: name of the file; "stdin" for stdin.

    Raises:
        CliError: an argument is for another format, or files with this suffix are not read.
    """
    suffix = _suffix_of(name)
    found: str | None = getattr(args, "format", None) or _BY_SUFFIX.get(suffix)
    if found is None and suffix in _NOT_READ:
        known = ", ".join(FORMATS[1:])
        raise CliError(f"{name}: {suffix} is not read; {known} are, and with --format text any file, a text a line", 2)
    found = found or "text"
    for option, formats in _OPTIONS_OF.items():
        if getattr(args, option, None) is not None and found not in formats:
            flag = "--" + option.replace("_", "-")
            raise CliError(f"{flag} is for {' and '.join(formats)}; the input is {found} (--format)", 2)
    return found


def delimiter_of(args: argparse.Namespace, kind: str) -> str:
    """Give the character between columns.

    Raises:
        CliError: --delimiter is no single character, or one that cannot separate.
    """
    given = getattr(args, "delimiter", None)
    if given is None:
        return "\t" if kind == "tsv" else ","
    delimiter = {"\\t": "\t", "tab": "\t"}.get(given, given)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise CliError(f"--delimiter is {given!r}; it must be one character, no quote and no line end, or tab", 2)
    return str(delimiter)


def check_no_input(args: argparse.Namespace) -> None:
    """Refuse arguments that say how an input is read, where texts come from the command line.

    Raises:
        CliError: there is such an argument.
    """
    for option in ("format", *_OPTIONS_OF):
        if getattr(args, option, None) is not None:
            raise CliError(f"--{option.replace('_', '-')} is for --input FILE or stdin", 2)


def _suffix_of(name: str) -> str:
    return Path(name.lower().removesuffix(GZIP)).suffix


def _names(text: str) -> tuple[str, ...]:
    """Read names, with commas between them; quoted as in CSV where a name has one."""
    return tuple(name for line in csv.reader([text], skipinitialspace=True) for name in line if name)
