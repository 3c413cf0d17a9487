"""Declare and check the arguments of subcommands that go from file to file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.formats import add_keep_argument, refuse_to_keep

SUFFIXES: Final = (".npy", ".parquet", ".jsonl")
_NO_VECTOR: Final = "which becomes NaN in .npy and is left out of other formats"
_OWN_COLUMNS: Final = {".parquet": ("row", "embedding"), ".jsonl": ("row", "text", "tokens", "truncated", "embedding")}


def add_bulk_arguments(parser: argparse.ArgumentParser, *, does: str = "embeds", skipped: str = _NO_VECTOR) -> None:
    """Declare the arguments.

    Args:
        parser: of the subcommand.
        does: what it does to texts, for the help.
        skipped: what becomes of a text that is skipped, for the help.
    """
    group = parser.add_argument_group(
        "files",
        f"--input FILE with -o OUT {does} any number of texts in constant memory. If a run ends early, for whatever "
        "reason, the same command resumes it.",
    )
    add_keep_argument(group)
    group.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help=f"what to do with a text that is refused: stop the run; or skip the text, {skipped}, name its row in "
        "OUT.errors.jsonl, and exit with 3 [%(default)s]",
    )
    group.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    group.add_argument("--restart", action="store_true", help="begin again, and drop what an unfinished run left")


def add_lines_arguments(parser: argparse.ArgumentParser, does: str) -> None:
    """Declare the arguments of a subcommand that writes JSON lines; `does`: what it does to texts, for the help."""
    parser.add_argument("-o", "--output", metavar="FILE", help="OUT.jsonl, an object for each text [stdout]")
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="show the progress [for --input FILE with -o OUT]"
    )
    add_bulk_arguments(parser, does=does, skipped="which is left out")


def lines_path(args: argparse.Namespace) -> Path | None:
    """Check the path of JSON lines before any work is done; None: stdout.

    Raises:
        CliError: it is none for them.
    """
    if args.output is None:
        return None
    path = Path(args.output)
    if path.suffix != ".jsonl":
        raise CliError(f"--output is {path}; it must end in .jsonl", 2)
    if not path.parent.is_dir():
        raise CliError(f"--output is {path}; there is no directory {path.parent}", 2)
    return path


def is_from_file_to_file(args: argparse.Namespace, path: Path | None) -> bool:
    """Say whether the texts of a file go into a file, which a run can resume."""
    return path is not None and not args.texts and args.input is not None and Path(args.input).is_file()


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
    if path.suffix == ".npy" and args.on_error == "skip" and args.dtype == "binary":
        raise CliError("--on-error skip: packed bits have no NaN; use .parquet or .jsonl for --dtype binary", 2)
    if path.is_dir():
        raise CliError(f"--output is {path}, a directory", 2)
    if path.exists() and path.samefile(args.input):
        raise CliError(f"--output is the input, {path}", 2)
