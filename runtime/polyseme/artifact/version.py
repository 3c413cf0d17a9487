"""The version of polyseme."""

from __future__ import annotations


def own_version() -> str:
    """Give the version of the installed package; a source tree that is not installed has none."""
    from importlib import metadata  # takes as long to import as all of the artifact format

    try:
        return metadata.version("polyseme")
    except metadata.PackageNotFoundError:
        return "not installed"
