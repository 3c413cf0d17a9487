"""The code blocks of README.md and docs/*.md, and what becomes of each.

A block of `sh` or `python` runs as it stands (docs/run.py). A comment on the line above it may say otherwise:
`<!-- not run: REASON -->`, or `<!-- needs: PROGRAM -->` where it runs on machines that have the program.
`text` is what a program prints. Blocks of other languages are excerpts and data.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = ("sh", "python")
_BLOCK = re.compile(r"(?:^<!-- (not run|needs): ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A code block of a page.

    Attributes:
        line: of its first line in the page, from 1.
        text: ends with a newline.
        not_run: why it is not run; empty: it is.
        needs: the program without which it is not run; empty: none but those of a newcomer.
    """

    page: Path
    line: int
    language: str
    text: str
    not_run: str = ""
    needs: str = ""

    @property
    def place(self) -> str:
        """The page and line, as `docs/bulk.md:4`."""
        return f"{os.path.relpath(self.page, ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README.md, and every page that is written by hand."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        mark, said, language, body = match.groups()
        found.append(
            Block(
                page=page,
                line=text.count("\n", 0, match.start(4)) + 1,
                language=language,
                text=body,
                not_run=said if mark == "not run" else "",
                needs=said if mark == "needs" else "",
            )
        )
    return found
