"""The packages of this route: whether they are installed, how to keep them quiet, and their errors in one line."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Final

from polyseme.export.errors import ExportError

# What to install, by what is imported of it: optimum without optimum-onnx has no exporter.
_IMPORTS: Final[Mapping[str, str]] = {
    "torch": "torch",
    "transformers": "transformers",
    "optimum": "optimum",
    "optimum-onnx": "optimum.exporters.onnx",
}
EXPORTING: Final = tuple(_IMPORTS)
COMPARING: Final = ("torch", "transformers")


def refuse_missing_packages(needing: str, names: Sequence[str] = EXPORTING) -> None:
    """Raise ExportError unless all are installed.

    Args:
        needing: what cannot be done without them.
        names: of distributions, out of EXPORTING.
    """
    missing = [name for name in names if not _is_installed(_IMPORTS[name])]
    if missing:
        raise ExportError(f"{needing} needs {', '.join(missing)}: pip install 'polyseme[optimum]'")


def versions() -> dict[str, str]:
    """Of every package of this route, by name."""
    return {name: metadata.version(name) for name in EXPORTING}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what tracing warns of, which the gates judge better, from the terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def one_line(error: Exception) -> str:
    """Give the first line of a library's message, printable: it may quote the checkpoint."""
    line = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {ascii(line.strip())[1:-1][:200]}"


def _is_installed(module: str) -> bool:
    """Tell whether a module can be found; nothing but the packages above it is imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is not there
        return False
