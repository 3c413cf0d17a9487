"""The sidebar of the site, read from the tables of docs/README.md and README.md. Pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Final

INDEX: Final = "docs/README.md"
FRONT: Final = "README.md"
_LINK: Final = re.compile(r"\]\(([^)#\s]+\.md)")
_NEED: Final = re.compile(r"^\| \*\*(\w+)\*\*")
_LOOKED_UP: Final = "| what | where |"
_CHANGED: Final = "| change it |"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the sidebar: its caption, and its pages as paths from the top of the repository."""

    caption: str
    pages: list[str]


def navigation(index: str, front: str) -> list[Section]:
    """Read the sections.

    Args:
        index: text of docs/README.md. A word in bold begins a section; the last table is looked up.
        front: text of README.md, whose last rows say what changes the project.
    """
    sections = [Section("", [INDEX])]
    for line in index.splitlines():
        if need := _NEED.match(line):
            sections.append(Section(need[1].capitalize(), []))
        elif line == _LOOKED_UP:
            sections.append(Section("Look up", []))
        if line.startswith("|"):
            sections[-1].pages.extend(_pages(line, INDEX))
    changed = [line for line in front.splitlines() if line.startswith(_CHANGED)]
    return [*sections, Section("Change it", [page for line in changed for page in _pages(line, FRONT)])]


def toctree(section: Section) -> str:
    """Write a section in the words of MyST; it shows in the sidebar alone. A page may be a pattern."""
    caption = f":caption: {section.caption}\n" if section.caption else ""
    pages = "\n".join(f"/{page}" for page in dict.fromkeys(section.pages))
    return f"\n\n```{{toctree}}\n:hidden:\n:glob:\n{caption}\n{pages}\n```\n"


def _pages(line: str, page: str) -> list[str]:
    return [posixpath.normpath(posixpath.join(posixpath.dirname(page), link)) for link in _LINK.findall(line)]
