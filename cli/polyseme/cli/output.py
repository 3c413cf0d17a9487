"""How results look on a terminal, and how they become files; rich is imported only where something is drawn."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from polyseme.cli.errors import CliError

_PIPED_WIDTH: Final = 160


def abridge(text: str, width: int = 48) -> str:
    """Cut a text to one line of at most `width` characters; what cannot be printed becomes a space."""
    return one_line(text if len(text) <= width else text[: width - 1] + "…")


def one_line(text: str) -> str:
    """Put a space for each character that would not print: of line ends, controls, and of direction."""
    return "".join(character if character.isprintable() else " " for character in text)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str | None = None, min_width: int = 0
) -> None:
    """Draw a table on stdout: in colour on a terminal, as Markdown elsewhere.

    Args:
        columns: headings; one that ends in ":" is of text, on the left, all others of numbers, on the right.
        rows: as many cells each; shown as they are, without markup.
        caption: a line below.
        min_width: characters that the table needs; a narrower terminal wraps the lines.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    console = Console(highlight=False, width=width)
    console.width = max(console.width, min_width)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else box.MARKDOWN)
    for heading in columns:
        is_text = heading.endswith(":")
        table.add_column(heading.rstrip(":"), justify="left" if is_text else "right", no_wrap=not is_text)
    for row in rows:
        # The column may shrink, its cells are cut rather than wrapped.
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
    if console.is_terminal:
        console.print(table)
    else:  # the style has an empty line above and below, which a file or another program does not want
        with console.capture() as drawn:
            console.print(table)
        print("\n".join(line for line in drawn.get().splitlines() if line.strip()))
    if caption:
        console.print(caption, style="dim", markup=False, soft_wrap=True)


def refuse_to_replace(path: Path, args: argparse.Namespace) -> None:
    """Raise CliError where a file is there that is not to be replaced."""
    if path.exists() and not args.overwrite:
        raise CliError(f"{path} exists; use --overwrite to replace it", 2)


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Write beside the file and rename: a file that is there is whole.

    Raises:
        CliError: it cannot be written.
    """
    partial = path.with_name(path.name + ".new")  # .partial is what a longer run resumes from
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise CliError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
