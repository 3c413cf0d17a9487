"""Text in the picture: fonts that have its characters, its width, its parts."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea
from matplotlib.textpath import text_to_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist

    from polyseme.cli.occurrences import Occurrence

# DejaVu Sans comes with matplotlib; of the others those that are installed, for what it lacks.
_FONT: Final = "DejaVu Sans"
_FALLBACKS: Final = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Arial Unicode MS",
)
INK: Final = "#222222"
GREY: Final = "#555555"
ACCENT: Final = "#00509d"


@functools.cache
def families() -> list[str]:
    """Give the fonts to use, the first first."""
    installed = set(font_manager.get_font_names())
    return [_FONT, *(name for name in _FALLBACKS if name in installed)]


@functools.cache
def _known(weight: str) -> frozenset[int]:
    """List the code points that can be drawn; a bold font may have fewer than the regular one."""
    paths = (font_manager.findfont(FontProperties(family=name, weight=weight)) for name in families())
    return frozenset().union(*(FT2Font(path).get_charmap() for path in paths))


def readable(text: str, weight: str = "normal") -> str:
    """Put a white square for each character that no font can draw."""
    known = _known(weight)
    return "".join(character if ord(character) in known else "\N{WHITE SQUARE}" for character in text)


def width_of(text: str, size: float, weight: str = "normal") -> float:
    """Measure a line of readable text: inches."""
    properties = FontProperties(family=families(), size=size, weight=weight)
    width: float = text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0]
    return width / 72


Part = tuple[str, dict[str, Any]]


def sentence_parts(parts: tuple[str, str, str]) -> list[Part]:
    """Style the parts of an occurrence: the word bold."""
    before, word, after = parts
    return [
        (readable(before), {"color": GREY}),
        (readable(word, "bold"), {"color": "black", "weight": "bold"}),
        (readable(after), {"color": GREY}),
    ]


def width_of_parts(parts: Sequence[Part], size: float) -> float:
    """Measure parts that stand side by side: inches."""
    return sum(width_of(text, size, style.get("weight", "normal")) for text, style in parts if text)


def fitting_parts(occurrence: Occurrence, arounds: Sequence[int], size: float, room: float) -> tuple[list[Part], float]:
    """Give as much around the word as fits.

    Args:
        occurrence: of the word.
        arounds: most characters on each side, to be tried in turn.
        size: points.
        room: inches.

    Returns:
        The first parts that fit, else the last; and their width, inches.
    """
    parts, width = list[Part](), 0.0
    for around in arounds:
        parts = sentence_parts(occurrence.parts(around))
        width = width_of_parts(parts, size)
        if width <= room:
            break
    return parts, width


def line(parts: Sequence[Part], size: float, place: tuple[float, float], align: float) -> AnnotationBbox:
    """Draw parts side by side on one line.

    Args:
        parts: texts, and how each looks. A dollar sign is a dollar sign.
        size: points.
        place: in data coordinates.
        align: what is at that place: 0 the left end, 0.5 the middle; the middle of the height.
    """
    areas: list[Artist] = [
        TextArea(text, textprops={"size": size, "parse_math": False, **style}) for text, style in parts if text
    ]
    packed = HPacker(children=areas, align="baseline", pad=0, sep=0)
    return AnnotationBbox(packed, place, xycoords="data", box_alignment=(align, 0.5), frameon=False, pad=0)


def with_other_fonts(svg: str) -> str:
    """Let a viewer without DejaVu Sans take one that is about as wide."""
    return re.sub(rf"(<text [^>]*?'{_FONT}'(?:, '[^']*')*)", r"\1, Verdana, sans-serif", svg)
