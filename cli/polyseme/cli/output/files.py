"""Files that are written whole, or not at all."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from polyseme.cli.errors import CliError


def refuse_to_replace(path: Path, args: argparse.Namespace) -> None:
    """Refuse to replace a file that exists, without --overwrite.

    Raises:
        CliError: it exists.
    """
    if path.exists() and not args.overwrite:
        raise CliError(f"{path} exists; use --overwrite to replace it", 2)


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Write to a file beside the path, and rename it when it is complete.

    Raises:
        CliError: the file cannot be written.
    """
    partial = path.with_name(path.name + ".new")  # .partial is the file that a bulk run resumes from
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise CliError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
