"""Arguments of `polyseme embed` for files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from polyseme.cli.errors import CliError

SUFFIXES: Final = (".npy", ".parquet", ".jsonl")
FORMATS: Final = ("text", "jsonl", "csv", "parquet")
_OPTIONS_OF: Final = {"field": ("jsonl",), "column": ("csv", "parquet"), "no_header": ("csv",)}


def add_bulk_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    group = parser.add_argument_group(
        "files",
        "--input FILE with -o OUT embeds any number of texts in constant memory. A run that ends early, however it "
        "does, is gone on with by the same command.",
    )
    group.add_argument("--format", choices=FORMATS, help="of --input FILE [by its suffix; text]")
    group.add_argument("--field", metavar="NAME", help="the texts' field in JSON lines [text]")
    group.add_argument("--column", metavar="NAME|N", help="the texts' column in CSV or Parquet, N from 0 [text]")
    group.add_argument("--no-header", action="store_true", default=None, help="a CSV file has no names of columns")
    group.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help="skip: a text that is refused becomes NaN (.npy) or is left out, OUT.errors.jsonl names its row, and the "
        "exit code is 3 [%(default)s]",
    )
    group.add_argument("--overwrite", action="store_true", help="replace OUT if it is there")
    group.add_argument("--restart", action="store_true", help="begin anew; what an unfinished run left is lost")


def format_of(args: argparse.Namespace) -> str:
    """Say which format --input FILE has: one of FORMATS.

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
    """Refuse what only --input FILE takes, where texts come from arguments, stdin or a pipe.

    Raises:
        CliError: names it.
    """
    for option in ("format", *_OPTIONS_OF):
        if getattr(args, option) is not None:
            raise CliError(f"--{option.replace('_', '-')} is for --input FILE, a file that is no pipe", 2)


def check_bulk(args: argparse.Namespace, path: Path) -> None:
    """Refuse what does not go together.

    Raises:
        CliError: names it.
    """
    if args.on_error == "skip" and args.dtype == "binary" and path.suffix == ".npy":
        raise CliError("--on-error skip: packed bits have no NaN; use .parquet or .jsonl for --dtype binary", 2)
    if path.is_dir():
        raise CliError(f"--output is {path}, a directory", 2)
    if path.exists() and path.samefile(args.input):
        raise CliError(f"--output is the input, {path}", 2)
