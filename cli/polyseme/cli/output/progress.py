"""The step that a command is at, on stderr; rich is imported only to draw."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PROGRESS_FROM: Final = 1000
"""Texts from which on a terminal shows the progress."""


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
