"""Draw the whole picture, with matplotlib: title, heat-maps, map, sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

from polyseme.cli.output.lines import one_line
from polyseme.cli.senses.picture.heatmaps import draw_heat_maps
from polyseme.cli.senses.picture.map import draw_map
from polyseme.cli.senses.picture.sheet import Sheet
from polyseme.cli.senses.picture.text import (
    ACCENT,
    GREY,
    INK,
    families,
    fitting_sentence,
    line,
    readable,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from polyseme.cli.senses.occurrences import Occurrence, Senses

_STYLE: Final[Any] = {"svg.fonttype": "none", "svg.hashsalt": "polyseme"}  # text stays text
_WIDTH: Final = 13.0  # inches; those of others too
_LEFT: Final = 0.33
_ABOVE: Final = 2.95  # title and heat-maps
_BELOW: Final = 0.4  # the legend of the map
_MAP_HEIGHT: Final = (3.2, 4.4, 7.0)  # of two occurrences, of more, and beside a long list
_AROUND: Final = (80, 60, 48, 36, 30, 24, 18, 12, 6)  # characters on each side of the word: the first number that fits
_SUBTITLE: Final = (
    "Cosine of every pair: one static vector, and the further up the layers, the more of the sentence in it."
)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of the project, not in that of a matplotlibrc."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**_STYLE, "font.family": families()})
        yield


def figure(senses: Senses, *, with_sentences: bool = True) -> Figure:
    """Draw the picture; without the sentences, the map takes their room."""
    with styled():
        many = len(senses.occurrences) > 20
        pitch, size = (0.2, 8.0) if many else (0.27, 9.5)
        listed = pitch * len(senses.occurrences) + 0.1 if with_sentences else 0.0
        map_height = _map_height(len(senses.occurrences), listed)
        sheet = Sheet(_WIDTH, _ABOVE + max(map_height + _BELOW, listed))
        _draw_title(sheet, senses)
        draw_heat_maps(sheet, senses, 1.05)
        room = sheet.width - 2 * _LEFT
        map_width = room / 2 - 0.2 if with_sentences else room
        draw_map(sheet, senses, _LEFT, _ABOVE, map_width, map_height)
        if with_sentences:
            left = _LEFT + map_width + 0.15
            _draw_sentences(sheet, senses.occurrences, left, pitch, size, listed)
    return sheet.figure


def _map_height(count: int, listed: float) -> float:
    least, usual, most = _MAP_HEIGHT
    return min(max(min(least + 0.3 * (count - 2), usual), listed), most)


def title_of(senses: Senses) -> str:
    """Write the title: word, model, layer."""
    count = len(senses.occurrences)
    places = "one place" if count == 1 else f"{count} places"
    return f"“{one_line(senses.word)}” in {places}: {one_line(senses.model)}, {senses.shown}"


def _draw_title(sheet: Sheet, senses: Senses) -> None:
    title = readable(title_of(senses), "bold")
    room = sheet.width - 2 * _LEFT
    size = min(15.0, 15.0 * room / width_of(title, 15.0, "bold"))
    sheet.text(_LEFT, 0.4, title, size=size, weight="bold", color=INK)
    sheet.text(_LEFT, 0.66, _SUBTITLE, size=9.5, color=GREY)


def _draw_sentences(
    sheet: Sheet, occurrences: tuple[Occurrence, ...], left: float, pitch: float, size: float, height: float
) -> None:
    """Draw the numbered sentences, one a line."""
    width = sheet.width - left - _LEFT / 2
    axes = sheet.frame(left, _ABOVE - 0.1, width, height)
    axes.set_gid("sentences")
    axes.set_axis_off()
    indent = 0.35
    for number, occurrence in enumerate(occurrences):
        y = height - pitch * (number + 0.6)
        axes.text(indent - 0.08, y, str(number + 1), ha="right", va="center", size=size, color=ACCENT, weight="bold")
        sentence, needed = fitting_sentence(occurrence, _AROUND, size, width - indent)
        fitting = size * min(1.0, (width - indent) / needed)  # the last resort is smaller text
        axes.add_artist(line(sentence, fitting, (indent, y), 0))
