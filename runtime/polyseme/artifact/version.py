"""The version of polyseme."""

from __future__ import annotations

from importlib import metadata


def own_version() -> str:
    """Give the version of the installed package; a source tree that is not installed has none."""
    try:
        return metadata.version("polyseme")
    except metadata.PackageNotFoundError:
        return "not installed"
