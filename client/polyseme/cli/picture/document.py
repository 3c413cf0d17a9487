"""The picture as a file: PNG, SVG, or HTML in one piece."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

from polyseme.cli.errors import CliError
from polyseme.cli.picture.figure import STYLE, figure

if TYPE_CHECKING:
    from polyseme.cli.senses import Senses

_DPI = 200


def draw(senses: Senses, target: Path) -> None:
    """Write the picture; the same senses give the same bytes.

    Raises:
        CliError: the file cannot be written.
    """
    content = {".png": _png, ".svg": _svg, ".html": _html}[target.suffix.lower()](senses)
    try:
        target.write_bytes(content)
    except OSError as error:
        raise CliError(f"cannot write {target}: {error.strerror}", 2) from error


def _png(senses: Senses) -> bytes:
    return _saved(senses, "png", {"Software": None})


def _svg(senses: Senses) -> bytes:
    return _saved(senses, "svg", {"Date": None, "Creator": None, "Title": f"{senses.word} ({senses.model})"})


def _html(senses: Senses) -> bytes:
    svg = _svg(senses).decode()
    lines = "\n".join(
        f"<li>{html.escape(each.before)}<b>{html.escape(each.word)}</b>{html.escape(each.after)}</li>"
        for each in senses.occurrences
    )
    title = f"“{html.escape(senses.word)}” in {len(senses.occurrences)} places, {html.escape(senses.model)}"
    return _PAGE.format(title=title, svg=svg[svg.index("<svg") :], lines=lines).encode()


def _saved(senses: Senses, kind: str, metadata: dict[str, str | None]) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure(senses).savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 1300px; margin: 1rem auto; padding: 0 1rem; color: #222 }}
svg {{ width: 100%; height: auto }}
</style>
{svg}
<ol>
{lines}
</ol>
</html>
"""
