"""Draw the map of the occurrences: near is alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from polyseme.cli.senses.picture.geometry import FloatArray, Plane, fit, plane, scale_bar
from polyseme.cli.senses.picture.labels import edge, place
from polyseme.cli.senses.picture.text import ACCENT, GREY, INK, StyledText, fitting_sentence, line, width_of_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from polyseme.cli.senses.occurrences import Senses
    from polyseme.cli.senses.picture.sheet import Sheet

_MAX_WITH_WORDS: Final = 12  # labels; of more occurrences only the numbers are written
_FEW: Final = 6
_AROUND: Final = (14, 9, 5)  # characters on each side of the word in a label: the first number that fits
_AROUND_FEW: Final = (22, 14, 9, 5)
_WIDEST: Final = 2.8  # inches of a label; a wider one is its number alone
_LINE: Final = 1.45  # height of a label, in sizes of its text
# Inches: a label that is this level with its point, and this near to it, needs no line.
_LEVEL: Final = 0.02
_NEAR: Final = 0.16


def draw_map(sheet: Sheet, senses: Senses, left: float, top: float, width: float, height: float) -> None:
    """Draw points and labels, a title above them, and a legend of distances below."""
    frame = (width, height)
    size = 8.5 if len(senses.occurrences) <= _MAX_WITH_WORDS else 7.5
    texts = labels(senses, size)
    sizes = np.array([[width_of_line(each, size), size * _LINE / 72] for each in texts])
    found = plane(senses.matrix)
    points, scale = fit(found.points, frame, (min(0.3 + float(sizes[:, 0].max()) / 2, width / 4), 0.45))
    centres = place(points, sizes, frame)
    axes = sheet.frame(left, top, width, height)
    axes.set_gid("map")
    for spine in axes.spines.values():
        spine.set_color("#cccccc")
    sheet.text(left, top - 0.1, f"the occurrences at {senses.shown}: near is alike", size=9, color=INK)
    _draw_leaders(axes, points, centres, sizes)
    axes.scatter(points[:, 0], points[:, 1], s=24, color=ACCENT, zorder=3, edgecolors="white", linewidths=0.6)
    for each, (x, y) in zip(texts, centres, strict=True):
        axes.add_artist(line(each, size, (x, y), 0.5))
    _draw_legend(sheet, found, scale, left, top + height + 0.2, width / 5)


def labels(senses: Senses, size: float) -> list[list[StyledText]]:
    """Write a number for each occurrence, with the words around where there are few."""
    numbers: list[StyledText] = [
        (str(at), {"color": ACCENT, "weight": "bold"}) for at in range(1, len(senses.matrix) + 1)
    ]
    if len(numbers) > _MAX_WITH_WORDS:
        return [[number] for number in numbers]
    arounds = _AROUND_FEW if len(numbers) <= _FEW else _AROUND
    written: list[list[StyledText]] = []
    for (number, style), occurrence in zip(numbers, senses.occurrences, strict=True):
        words, width = fitting_sentence(occurrence, arounds, size, _WIDEST)
        written.append([(f"{number} ", style), *words] if width <= _WIDEST else [(number, style)])
    return written


def _draw_leaders(axes: Axes, points: FloatArray, centres: FloatArray, sizes: FloatArray) -> None:
    """Draw a line to each label that is not right beside its point."""
    for point, end in zip(points, edge(points, centres, sizes), strict=True):
        if abs(end[1] - point[1]) > _LEVEL or abs(end[0] - point[0]) > _NEAR:
            axes.plot([point[0], end[0]], [point[1], end[1]], color="#aaaaaa", linewidth=0.7, zorder=1)


def _draw_legend(sheet: Sheet, found: Plane, scale: float, left: float, top: float, longest: float) -> None:
    """Draw the scale bar, and write the share of all distances that the plane shows."""
    if not (bar := scale_bar(scale, longest)):
        if len(found.points) > 1:
            sheet.text(left, top, "all occurrences have the same vector", size=8, color=GREY)
        return
    cosine, length = bar
    axes = sheet.frame(left, top - 0.1, length, 0.1)
    axes.set_axis_off()
    axes.plot([0, 0, length, length], [0.1, 0.05, 0.05, 0.1], color=INK, linewidth=1, clip_on=False)
    text = f"so far apart: cosine {cosine:g}; the plane shows {found.share:.0%} of the spread"
    sheet.text(left + length + 0.1, top, text, size=8, color=GREY)
