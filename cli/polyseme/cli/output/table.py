"""Print results on a terminal and write them to files; rich is imported only to draw."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from polyseme.cli.errors import CliError

PROGRESS_FROM: Final = 1000
"""Texts from which on a terminal shows the progress."""
_PIPED_WIDTH: Final = 160
_JOINERS: Final = "\u200c\u200d"  # Persian, Indic scripts and emoji are written with them


def abridge(text: str, width: int = 48) -> str:
    """Cut a text to one line of at most `width` characters; what cannot be printed becomes a space."""
    return one_line(text if len(text) <= width else text[: width - 1] + "…")


def one_line(text: str) -> str:
    """Replace characters that do not print by spaces: line ends, controls, marks of direction."""
    return "".join(character if character.isprintable() else " " for character in text)


def spell_out(text: str) -> str:
    r"""Spell characters out that do not print, as \n or \x1b: what is shown is one line, and moves no cursor."""
    return "".join(char if char.isprintable() or char in _JOINERS else ascii(char)[1:-1] for char in text)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str | None = None, min_width: int = 0
) -> None:
    """Print a table on stdout: in colour on a terminal, as Markdown elsewhere.

    Args:
        columns: headings; one that ends in ":" is for text, aligned left, all others are for numbers, aligned right.
        rows: one cell for each column; printed as they are, without markup.
        caption: a line below the table.
        min_width: characters that the table needs; a narrower terminal wraps its lines.
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
        # A column may shrink; its cells are then cut, not wrapped.
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
    if console.is_terminal:
        console.print(table)
    else:  # without the empty lines above and below that the style has
        with console.capture() as drawn:
            console.print(table)
        print("\n".join(line for line in drawn.get().splitlines() if line.strip()))
    if caption:
        console.print(caption, style="dim", markup=False, soft_wrap=True)


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


@contextmanager
def step_line() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a step: in place on a terminal, elsewhere in a line of its own."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda line: print(line, file=sys.stderr, flush=True)
        return
    with console.status("starting") as status:
        yield status.update
