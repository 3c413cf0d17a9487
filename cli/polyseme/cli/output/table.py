"""Print a table; rich is imported only to draw."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final

_PIPED_WIDTH: Final = 160


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
