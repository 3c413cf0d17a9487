"""Check a site that was built: every link leads somewhere, and no page loads anything from elsewhere.

Usage: python -m docs.site.check FOLDER

Links to other sites are not followed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LOADED: Final = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """The links of a page, what it loads, and the ids that links may name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect from one tag."""
        given = {name: value or "" for name, value in attributes}
        self.ids.update(given[name] for name in ("id", "name") if name in given)
        self.loads += [given[name] for name in ("src", "srcset", "data", "poster") if name in given]
        if "href" in given:
            (self.links if tag == "a" else self.loads).append(given["href"])


def faults(site: Path) -> list[str]:
    """List the faults of a site, each with its page."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [fault for path in pages for fault in _of_page(path, pages)]
    for style in sorted(site.rglob("*.css")):
        loaded = [first or second for first, second in _LOADED.findall(style.read_text(encoding="utf-8"))]
        found += [f"{style}: loads {url}" for url in loaded if _elsewhere(url)]
    return [fault.removeprefix(f"{site}/") for fault in found]


def _of_page(path: Path, pages: dict[Path, Page]) -> Iterator[str]:
    page = pages[path]
    for url in page.loads:
        if _elsewhere(url):
            yield f"{path}: loads {url}"
    for url in [*page.links, *page.loads]:
        parts = urlsplit(url)
        if _elsewhere(url) or parts.scheme:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
        if not target.is_file():
            yield f"{path}: {url} leads nowhere"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
            yield f"{path}: {url} names no part of its page"


def _elsewhere(url: str) -> bool:
    return bool(urlsplit(url).netloc)


def main() -> int:
    """Print the faults; the exit status says whether there are any."""
    site = Path(sys.argv[1]).resolve()
    found = faults(site)
    print("\n".join([*found, f"{len(list(site.rglob('*.html')))} pages, {len(found)} faults"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
