"""Write the picture to a file: PNG, SVG, or self-contained HTML."""

from __future__ import annotations

import html
import io
from typing import TYPE_CHECKING, Final

from polyseme.cli.output.files import writing
from polyseme.cli.senses.picture.figure import figure, styled, title_of
from polyseme.cli.senses.picture.text import with_other_fonts

if TYPE_CHECKING:
    from pathlib import Path

    from polyseme.cli.senses.occurrences import Occurrence, Senses

_DPI: Final = 200


def draw(senses: Senses, target: Path) -> None:
    """Write the picture; the same senses give the same bytes.

    Raises:
        CliError: the file cannot be written.
    """
    content = {".png": _png, ".svg": _svg, ".html": _html}[target.suffix.lower()](senses)
    with writing(target) as file:
        file.write(content)


def _png(senses: Senses) -> bytes:
    return _saved(senses, "png", {"Software": None}, with_sentences=True)


def _svg(senses: Senses, *, with_sentences: bool = True) -> bytes:
    metadata = {"Date": None, "Creator": None, "Type": None, "Title": title_of(senses)}
    svg = _saved(senses, "svg", metadata, with_sentences=with_sentences).decode()
    return with_other_fonts(svg).encode()


def _html(senses: Senses) -> bytes:
    svg = _svg(senses, with_sentences=False).decode()
    lines = "\n".join(f"<li>{_marked(each)}</li>" for each in senses.occurrences)
    return _PAGE.format(title=html.escape(title_of(senses)), svg=svg[svg.index("<svg") :], lines=lines).encode()


def _marked(occurrence: Occurrence) -> str:
    before, word, after = map(html.escape, occurrence.in_context())
    return f"{before}<b>{word}</b>{after}"


def _saved(senses: Senses, kind: str, metadata: dict[str, str | None], *, with_sentences: bool) -> bytes:
    buffer = io.BytesIO()
    with styled():
        drawing = figure(senses, with_sentences=with_sentences)
        drawing.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 1300px; margin: 1rem auto; padding: 0 1rem; color: #555 }}
svg {{ width: 100%; height: auto }}
li::marker {{ color: #00509d; font-weight: bold }}
b {{ color: #000 }}
</style>
{svg}
<ol>
{lines}
</ol>
</html>
"""
