"""The places that say which version this is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

UNRELEASED: Final = "Unreleased"
_HEADING: Final = re.compile(r"^## (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """A place that says the version.

    Attributes:
        file: from the top of the repository.
        pattern: its group is the version.
        short: the first two numbers of the version stand there.
    """

    file: str
    pattern: str
    short: bool = False


PLACES: Final = (
    Place("pyproject.toml", r'^version = "([^"]+)"'),
    Place("Dockerfile", r"^ARG VERSION=(\S+)"),
    Place("docs/container.md", r"\bpolyseme:(\d+\.\d+\.\d+\w*)"),
    Place("docs/container.md", r"^label version +(\S+)"),
    Place("deploy/kubernetes/server.yaml", r"\bpolyseme:(\d+\.\d+\.\d+\w*)"),
    Place("deploy/compose.yaml", r"\bpolyseme:(\d+\.\d+\.\d+\w*)"),
    Place("README.md", r"^> Status: ([\d.]*\d)", short=True),
    Place("SECURITY.md", r"^There is one version, ([\d.]*\d)", short=True),
)


def said(place: Place, text: str) -> list[str]:
    """Read the versions that a place says, each once."""
    return list(dict.fromkeys(re.findall(place.pattern, text, re.MULTILINE)))


def agrees(place: Place, versions: list[str], version: str) -> bool:
    """Tell whether a place says this version, and no other."""
    return versions == [".".join(version.split(".")[:2]) if place.short else version]


def heading(changelog: str) -> str:
    """Read the first heading of a changelog; empty: it has none."""
    found = _HEADING.search(changelog)
    return found[1] if found else ""


def heading_fits(first: str, version: str, tag: str) -> bool:
    """Tell whether the first heading of the changelog fits: the version, or `Unreleased` where there is no tag."""
    return (first == UNRELEASED and not tag) or (first == version and tag in ("", f"v{version}"))
