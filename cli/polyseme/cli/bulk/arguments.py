"""Declare and check the arguments of `polyseme embed` for files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from polyseme.cli.errors import CliError

SUFFIXES: Final = (".npy", ".parquet", ".jsonl")
FORMATS: Final = ("text", "jsonl", "csv", "parquet")
_OPTIONS_OF: Final = {"field": ("jsonl",), "column": ("csv", "parquet"), "no_header": ("csv",)}


def add_bulk_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    group = parser.add_argument_group(
        "files",
        "--input FILE with -o OUT embeds any number of texts in constant memory. If a run ends early, for whatever "
        "reason, the same command resumes it.",
    )
    group.add_argument("--format", choices=FORMATS, help="format of --input FILE [by its suffix, else text]")
    group.add_argument("--field", metavar="NAME", help="name of the field that holds the text, in JSON lines [text]")
    group.add_argument(
        "--column",
        metavar="NAME|N",
        help="column that holds the text, in CSV or Parquet: a name, or a number from 0 [text]",
    )
    group.add_argument(
        "--no-header",
        action="store_true",
        default=None,
        help="read the first line of a CSV file as a text: there are no column names",
    )
    group.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help="what to do with a text that is refused: stop the run; or skip the text, which becomes NaN in .npy and is "
        "left out of other formats, name its row in OUT.errors.jsonl, and exit with 3 [%(default)s]",
    )
    group.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    group.add_argument("--restart", action="store_true", help="begin anew, and drop what an unfinished run left")


def format_of(args: argparse.Namespace) -> str:
    """Find the format of --input FILE: one of FORMATS.

    Raises:
        CliError: an argument is for another format.
    """
    by_suffix = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
    found: str = args.format or by_suffix.get(Path(args.input).suffix.lower(), "text")
    for option, formats in _OPTIONS_OF.items():
        if getattr(args, option) is not None and found not in formats:
            flag = "--" + option.replace("_", "-")
            raise CliError(f"{flag} is for {' and '.join(formats)}; the input is {found} (--format)", 2)
    return found


def check_no_file(args: argparse.Namespace) -> None:
    """Refuse arguments that only --input FILE takes, where texts come from arguments, stdin or a pipe.

    Raises:
        CliError: there is such an argument.
    """
    for option in ("format", *_OPTIONS_OF):
        if getattr(args, option) is not None:
            raise CliError(f"--{option.replace('_', '-')} is for --input FILE, a file that is no pipe", 2)


def check_bulk(args: argparse.Namespace, path: Path) -> None:
    """Refuse arguments that do not go together.

    Raises:
        CliError: two do not.
    """
    if args.on_error == "skip" and args.dtype == "binary" and path.suffix == ".npy":
        raise CliError("--on-error skip: packed bits have no NaN; use .parquet or .jsonl for --dtype binary", 2)
    if path.is_dir():
        raise CliError(f"--output is {path}, a directory", 2)
    if path.exists() and path.samefile(args.input):
        raise CliError(f"--output is the input, {path}", 2)
