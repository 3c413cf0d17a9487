"""The environment of a step: the project's source, packages that were brought, the libraries of NVIDIA's packages."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
_SOURCE_ROOTS: Final = ("proto", "runtime", "export", "server", "client", "gateway", "cli", ".")


def environment(packages: Sequence[Path], work: Path) -> dict[str, str]:
    """For processes that need nothing installed but what `packages` have.

    Args:
        packages: wheels, archives, folders of these, or folders of packages; found before what is installed.
        work: where archives are unpacked.
    """
    brought = [unpacked(path, work / "packages" / path.name) for path in _each(packages)]
    spec = importlib.util.find_spec("nvidia")
    places = spec.submodule_search_locations if spec else None
    libraries = [folder for place in places or () for folder in sorted(Path(place).glob("*/lib"))]
    return {
        **os.environ,
        "PYTHONPATH": _joined([*brought, *(ROOT / root for root in _SOURCE_ROOTS)], before=False, name="PYTHONPATH"),
        "LD_LIBRARY_PATH": _joined(libraries, before=True, name="LD_LIBRARY_PATH"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "HF_HUB_OFFLINE": "1",
    }


def unpacked(path: Path, folder: Path) -> Path:
    """A folder as it is; an archive or wheel unpacked into a folder, once."""
    if path.is_dir():
        return path.absolute()
    if not folder.exists():
        half = folder.with_name(folder.name + ".half")
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                wheel.extractall(half)
        else:
            with tarfile.open(path) as archive:
                archive.extractall(half, filter="data")
        half.rename(folder)
    return folder.absolute()


def is_fake(environment: dict[str, str]) -> bool:
    """Whether the CUDA runtime that a step finds is that of tests/cuda."""
    for folder in environment["LD_LIBRARY_PATH"].split(":"):
        library = Path(folder) / "libcudart.so.13"
        if folder and library.exists():
            with suppress(OSError):
                return hasattr(ctypes.CDLL(str(library)), "fake_lines")
    return False


def _joined(paths: Sequence[Path], *, before: bool, name: str) -> str:
    """Paths behind or before those of a variable."""
    there = os.environ.get(name, "").split(":")
    return ":".join(filter(None, [*there, *map(str, paths)] if before else [*map(str, paths), *there]))


def _each(packages: Sequence[Path]) -> Iterator[Path]:
    for path in packages:
        inside = [one for one in sorted(path.iterdir()) if _is_archive(one)] if path.is_dir() else []
        yield from inside or [path]


def _is_archive(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".whl" or ".tar" in path.suffixes)
