"""Sphinx's settings of the site: the pages of the repository, where they lie."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from docs.site.navigation import FRONT, INDEX, Section, navigation, toctree  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]+)?\)")
# Pages below another, and in its part of the sidebar.
BELOW = {
    "docs/figures.md": ["bench/README"],
    "bench/README.md": ["bench/results/*", "bench/load/ghz/README"],
    "CONTRIBUTING.md": ["tests/cuda/README"],
}

project = "Polyseme"
version = release = PROJECT["version"]
language = "en"
smartquotes = False  # a flag stays --host
extensions = ["myst_parser"]
root_doc = FRONT.removesuffix(".md")
include_patterns = ["*.md", "docs/**.md", "bench/**.md", "tests/cuda/README.md"]
exclude_patterns = [".*", "models", "site", "build", "dist", "**/node_modules"]
myst_heading_anchors = 4  # as on the forge: #the-page
highlight_language = "text"
html_theme = "furo"
html_title = f"Polyseme {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = html_use_index = False
html_show_copyright = False


def add_sidebar(_: Sphinx, name: str, source: list[str]) -> None:
    """Put the sidebar into the front page, and below pages what belongs to them."""
    page = f"{name}.md"
    if page == FRONT:
        sections = navigation((ROOT / INDEX).read_text(encoding="utf-8"), source[0])
        source[0] += "".join(map(toctree, sections))
    elif page in BELOW:
        source[0] += toctree(Section("", BELOW[page]))


def rewrite_links(_: Sphinx, name: str, source: list[str]) -> None:
    """Let links to pages have their titles, and let links to folders, of which a site has no page, be text alone."""
    place = (ROOT / name).parent

    def rewrite(link: re.Match[str]) -> str:
        text, target, anchor = link.groups(default="")
        if (place / target).is_dir():
            return text
        return f"[]({target}{anchor})" if text.endswith(".md") else link[0]

    source[0] = LINK.sub(rewrite, source[0])


def add_front_page(app: Sphinx, failed: Exception | None) -> None:
    """Show the README where a browser asks for a folder."""
    if failed is None:
        shutil.copy(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Connect what is above with Sphinx."""
    app.connect("source-read", add_sidebar)
    app.connect("source-read", rewrite_links)
    app.connect("build-finished", add_front_page)
