"""The files of wheels and source archives, and how two differ."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path


def wheel_files(wheel: Path) -> dict[str, str]:
    """Give the SHA-256 of each file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def sdist_names(sdist: Path) -> set[str]:
    """Name the files of a source archive, from its top folder on."""
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Name the files that only one has, or that differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def left_out(tracked: set[str], packed: set[str]) -> list[str]:
    """Name the tracked files that a source archive lacks."""
    return sorted(tracked - packed)
