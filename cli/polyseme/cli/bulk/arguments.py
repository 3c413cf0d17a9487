"""Declare and check the arguments of `polyseme embed` for files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.formats import add_keep_argument, refuse_to_keep

SUFFIXES: Final = (".npy", ".parquet", ".jsonl")
_OWN_COLUMNS: Final = {".parquet": ("row", "embedding"), ".jsonl": ("row", "text", "tokens", "truncated", "embedding")}


def add_bulk_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    group = parser.add_argument_group(
        "files",
        "--input FILE with -o OUT embeds any number of texts in constant memory. If a run ends early, for whatever "
        "reason, the same command resumes it.",
    )
    add_keep_argument(group)
    group.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help="what to do with a text that is refused: stop the run; or skip the text, which becomes NaN in .npy and is "
        "left out of other formats, name its row in OUT.errors.jsonl, and exit with 3 [%(default)s]",
    )
    group.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    group.add_argument("--restart", action="store_true", help="begin anew, and drop what an unfinished run left")


def check_memory(args: argparse.Namespace, path: Path | None) -> None:
    """Refuse arguments that only a run from file to file takes, where texts are read into memory.

    Raises:
        CliError: there is such an argument.
    """
    given = {"--on-error skip": args.on_error == "skip", "--restart": args.restart}
    for flag in (flag for flag, is_given in given.items() if is_given):
        raise CliError(f"{flag} is for --input FILE with -o OUT; TEXT, stdin and pipes cannot resume", 2)
    if path is not None and path.suffix == ".parquet":
        raise CliError(f"--output is {path}; .parquet is for --input FILE, a file that is no pipe", 2)


def check_keep(keep: Sequence[str], suffix: str) -> None:
    """Refuse columns to keep that the output has no place for.

    Args:
        keep: their names.
        suffix: one of SUFFIXES, of the output.

    Raises:
        CliError: there are such columns.
    """
    if keep and suffix not in _OWN_COLUMNS:
        raise CliError(f"--keep is for {' and '.join(_OWN_COLUMNS)}; an array has no columns", 2)
    refuse_to_keep(keep, _OWN_COLUMNS.get(suffix, ()))


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
