"""Which version of polyseme this is."""

from __future__ import annotations

from importlib import metadata


def own_version() -> str:
    """That of the installed package; from a source tree alone there is none to be had."""
    try:
        return metadata.version("polyseme")
    except metadata.PackageNotFoundError:
        return "not installed"
