"""Write text in the picture: choose fonts that have its characters, measure it, style it."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea
from matplotlib.textpath import text_to_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist

    from polyseme.cli.senses.occurrences import Occurrence

# DejaVu Sans comes with matplotlib; of the others, those that are installed serve for characters that it lacks.
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
    """Give the fonts to use, in order of preference."""
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


StyledText: TypeAlias = tuple[str, dict[str, Any]]
"""A text, and matplotlib's properties for it."""


def styled_sentence(sentence: tuple[str, str, str]) -> list[StyledText]:
    """Style a sentence around a word: the word bold."""
    before, word, after = sentence
    return [
        (readable(before), {"color": GREY}),
        (readable(word, "bold"), {"color": "black", "weight": "bold"}),
        (readable(after), {"color": GREY}),
    ]


def width_of_line(texts: Sequence[StyledText], size: float) -> float:
    """Measure texts that stand side by side: inches."""
    return sum(width_of(text, size, style.get("weight", "normal")) for text, style in texts if text)


def fitting_sentence(
    occurrence: Occurrence, arounds: Sequence[int], size: float, room: float
) -> tuple[list[StyledText], float]:
    """Style a sentence, shortened around the word until it fits.

    Args:
        occurrence: the word in its sentence.
        arounds: numbers of characters on each side, to be tried in turn.
        size: size of the text in points.
        room: width in inches that it may have.

    Returns:
        The first sentence that fits, else the last one; and its width in inches.
    """
    sentence, width = list[StyledText](), 0.0
    for around in arounds:
        sentence = styled_sentence(occurrence.in_context(around))
        width = width_of_line(sentence, size)
        if width <= room:
            break
    return sentence, width


def line(texts: Sequence[StyledText], size: float, place: tuple[float, float], align: float) -> AnnotationBbox:
    """Make a line of texts side by side.

    Args:
        texts: the texts; a dollar sign in them begins no formula.
        size: size in points.
        place: position of the line in data coordinates.
        align: the point of the line at that place: 0 its left end, 0.5 its middle; at half of its height.
    """
    areas: list[Artist] = [
        TextArea(text, textprops={"size": size, "parse_math": False, **style}) for text, style in texts if text
    ]
    packed = HPacker(children=areas, align="baseline", pad=0, sep=0)
    return AnnotationBbox(packed, place, xycoords="data", box_alignment=(align, 0.5), frameon=False, pad=0)


def with_other_fonts(svg: str) -> str:
    """Name fonts that are about as wide, for viewers without DejaVu Sans."""
    return re.sub(rf"(<text [^>]*?'{_FONT}'(?:, '[^']*')*)", r"\1, Verdana, sans-serif", svg)
