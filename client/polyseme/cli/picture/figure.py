"""The drawing, with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea
from matplotlib.textpath import text_to_path

from polyseme.cli.picture.geometry import FloatArray, plane, spread_labels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from polyseme.cli.senses import Occurrence, Senses

COLOURS = "cividis"  # even steps of lightness, the same to the colour-blind, and in grey
STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "polyseme",
    "axes.titlesize": 9,
    "axes.unicode_minus": True,
}
_WIDTH = 13  # inches
_TEXT_SIZE = 9.5
_MAPS_A_ROW = 8
_NUMBERS_FIT = 6
_SUBTITLE = "Cosine of every pair: one static vector, and the further up the layers, the more of the sentence in it."
_INK, _ACCENT = "#222222", "#00509d"


def figure(senses: Senses) -> Figure:
    """Heat-maps above, the map of the occurrences below, the sentences beside it."""
    with mpl.rc_context(STYLE):
        shown = _some(len(senses.layers))
        count = len(senses.occurrences)
        list_height = 0.6 + 0.27 * count
        below = max(4.2, list_height)
        drawing = Figure(figsize=(_WIDTH, 2.85 + below), facecolor="white")
        high = 2.85 + below
        title = f"“{readable(senses.word)}” in {count} places, {readable(senses.model)}"
        drawing.text(0.025, 1 - 0.4 / high, title, size=15, weight="bold", color=_INK, parse_math=False)
        drawing.text(0.025, 1 - 0.66 / high, _SUBTITLE, size=9.5, color="#555555")
        _heat_maps(drawing, senses, shown, high)
        map_width = 4.4 / _WIDTH
        points = drawing.add_axes((0.025, 0.3 / high, map_width, (below - 0.75) / high))
        _map(points, senses)
        beside = drawing.add_axes((0.06 + map_width, 0.3 / high, 0.92 - map_width, (below - 0.45) / high))
        _sentences(beside, senses.occurrences, below - 0.45)
    return drawing


def _some(states: int) -> list[int]:
    """Which states are drawn: static, layer 0, the last, and as many between as there is room for."""
    if states <= _MAPS_A_ROW:
        return list(range(states))
    return [0, *(round(i) for i in np.linspace(1, states - 1, _MAPS_A_ROW - 1))]


def _heat_maps(drawing: Figure, senses: Senses, shown: list[int], high: float) -> None:
    count = len(senses.occurrences)
    off_diagonal = ~np.eye(count, dtype=bool)
    values = senses.cosines[shown][:, off_diagonal]
    least = min(0.9, float(np.floor(values.min(initial=0.9) * 10) / 10))
    width, gap = 0.098, 0.0155
    bottom, height = 1 - 2.4 / high, _WIDTH * width / high
    image = None
    for column, state in enumerate(shown):
        axes = drawing.add_axes((0.025 + column * (width + gap), bottom, width, height))
        image = axes.imshow(senses.cosines[state], cmap=COLOURS, vmin=least, vmax=1)
        name = senses.layers[state]
        axes.set_title("static" if name == "static" else f"layer {name}", color=_INK, pad=4)
        ticks = range(count) if count <= 8 else range(0, count, max(1, count // 6))
        axes.set_xticks(list(ticks), [str(i + 1) for i in ticks], size=7)
        axes.set_yticks(list(ticks), [str(i + 1) for i in ticks] if column == 0 else [""] * len(ticks), size=7)
        axes.tick_params(length=0, pad=2)
        if count <= _NUMBERS_FIT:
            _numbers(axes, senses.cosines[state], least)
    if image is not None:
        right = 0.025 + len(shown) * (width + gap)
        bar = drawing.add_axes((right, bottom, 0.008, height))
        drawing.colorbar(image, cax=bar)
        bar.tick_params(labelsize=7, length=2)
        bar.set_title("cosine", size=7, pad=4)


def _numbers(axes: Axes, cosines: FloatArray, least: float) -> None:
    size = {1: 9, 2: 9, 3: 8, 4: 7.5, 5: 6.5, 6: 6}[len(cosines)]
    for (row, column), cosine in np.ndenumerate(cosines):
        light = (cosine - least) / (1 - least) > 0.55
        axes.text(
            column, row, f"{cosine:.2f}", ha="center", va="center", size=size, color="black" if light else "white"
        )


def _map(axes: Axes, senses: Senses) -> None:
    count = len(senses.occurrences)
    points = plane(senses.matrix)
    far = 0.13 if count <= 24 else 0.09
    labels = spread_labels(points, far)
    axes.set_title(f"as far apart as a plane can show: {senses.shown}", color=_INK, loc="left", pad=6)
    for (x, y), (lx, ly) in zip(points, labels, strict=True):
        axes.plot([x, x + 0.55 * (lx - x)], [y, y + 0.55 * (ly - y)], color="#bbbbbb", linewidth=0.8, zorder=1)
    axes.scatter(points[:, 0], points[:, 1], s=26, color=_ACCENT, zorder=3, edgecolors="white", linewidths=0.6)
    for number, (x, y) in enumerate(labels, 1):
        axes.text(x, y, str(number), ha="center", va="center", size=10 if count <= 24 else 7.5, zorder=4, color=_INK)
    everything = np.concatenate([points, labels])
    centre = (everything.max(axis=0) + everything.min(axis=0)) / 2
    reach = max(float(np.ptp(everything, axis=0).max()) / 2 * 1.12, 0.3)
    axes.set_xlim(centre[0] - reach, centre[0] + reach)
    axes.set_ylim(centre[1] - reach, centre[1] + reach)
    axes.set_aspect("equal", anchor="NW")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#cccccc")


def _sentences(axes: Axes, occurrences: list[Occurrence], inches: float) -> None:
    axes.set_axis_off()
    size = _fitting(occurrences, axes.get_position().width * _WIDTH * 0.95)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, inches)
    for number, occurrence in enumerate(occurrences):
        parts = [
            (readable(occurrence.before), {"color": "#555555"}),
            (readable(occurrence.word), {"color": "black", "weight": "bold"}),
            (readable(occurrence.after), {"color": "#555555"}),
        ]
        areas = [
            TextArea(text, textprops={"size": size, "parse_math": False, **props}) for text, props in parts if text
        ]
        children: list[Artist] = list(areas)
        line = HPacker(children=children, align="baseline", pad=0, sep=0)
        place = (0.035, inches - 0.25 - 0.27 * number)
        axes.text(
            0.025, place[1], str(number + 1), ha="right", va="center", size=_TEXT_SIZE, color=_ACCENT, weight="bold"
        )
        axes.add_artist(AnnotationBbox(line, place, xycoords="data", box_alignment=(0, 0.5), frameon=False, pad=0))


def _fitting(occurrences: list[Occurrence], inches: float) -> float:
    """The size at which the longest line fits."""
    properties = FontProperties(family=STYLE["font.family"], size=_TEXT_SIZE, weight="bold")
    widths = [
        text_to_path.get_text_width_height_descent(
            readable(each.before + each.word + each.after), properties, ismath=False
        )[0]
        for each in occurrences
    ]
    return _TEXT_SIZE * min(1.0, inches * 72 / max(widths))


def readable(text: str) -> str:
    """The text with a white square for each character that the font cannot draw."""
    known = _charmap()
    return "".join(character if ord(character) in known else "\N{WHITE SQUARE}" for character in text)


def _charmap() -> frozenset[int]:
    path = font_manager.findfont("DejaVu Sans")
    return frozenset(FT2Font(path).get_charmap())
