"""Show the progress bar of long lists; rich is imported only where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from polyseme.client._arguments.flags import flag
from polyseme.client.errors import MissingDependencyError


@contextmanager
def progress_bar(total: int | None, *, enabled: bool) -> Iterator[Callable[[int], None]]:
    """Show on stderr how many of `total` texts (None: unknown) are done; yield the function that counts more of them.

    Raises:
        InvalidArgumentError: enabled is no bool.
        MissingDependencyError: rich is not installed.
    """
    if not flag(enabled, "progress"):
        yield lambda _: None
        return
    try:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"progress=True needs {(error.name or 'rich').partition('.')[0]}: pip install 'polyseme[cli]'"
        ) from error
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("texts", total=total)
        yield lambda done: progress.advance(task, done)
