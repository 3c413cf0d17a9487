"""Draw the row of heat-maps: every pair of occurrences, from the static vectors to the last layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib import colormaps

from polyseme.cli.senses.occurrences import layer_name
from polyseme.cli.senses.picture.geometry import FloatArray
from polyseme.cli.senses.picture.text import ACCENT, INK, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from polyseme.cli.senses.occurrences import Senses
    from polyseme.cli.senses.picture.sheet import Sheet

COLOURS: Final = "cividis"  # even steps of lightness, the same to the colour-blind, and in grey
SIDE: Final = 1.27  # inches of a heat-map
_MAX_HEAT_MAPS: Final = 8  # heat-maps
_GAP: Final = 0.2
_LEFT: Final = 0.33
_SMALLEST: Final = 5.0  # points; smaller numbers are not written
# Relative luminance at which black and white text contrast equally. Source: WCAG 2.2, contrast ratio.
_EVEN_CONTRAST: Final = 0.179


@dataclass(frozen=True, slots=True)
class Panel:
    """One heat-map.

    Attributes:
        name: its title.
        cosines: [K, K].
        asked: whether it is the layer that was asked for.
    """

    name: str
    cosines: FloatArray
    asked: bool


def panels(senses: Senses) -> list[Panel]:
    """Choose the heat-maps: static, layer 0, the last, the layer asked for, and those between that fit."""
    one = len(senses.chosen) == 1
    layers = shown_layers(
        len(senses.layers), _MAX_HEAT_MAPS if one else _MAX_HEAT_MAPS - 1, senses.chosen[0] if one else None
    )
    row = [
        Panel(layer_name(senses.layers[layer]), senses.cosines[layer], one and layer == senses.chosen[0])
        for layer in layers
    ]
    return row if one else [*row, Panel("sum of last 4", senses.matrix, asked=True)]


def shown_layers(count: int, limit: int, asked: int | None) -> list[int]:
    """Choose at most `limit` of the layers, evenly: among them 0, 1, the last and the one asked for."""
    if count <= limit:
        return list(range(count))
    chosen = {0, *(round(float(layer)) for layer in np.linspace(1, count - 1, limit - 1))}
    if asked is not None and asked not in chosen:
        chosen -= {min(chosen - {0, 1, count - 1}, key=lambda layer: abs(layer - asked))}
        chosen |= {asked}
    return sorted(chosen)


def draw_heat_maps(sheet: Sheet, senses: Senses, top: float) -> None:
    """Draw the heat-maps side by side, on one scale of colours, whose bar stands to the right."""
    row = panels(senses)
    values = np.concatenate([panel.cosines[~np.eye(len(panel.cosines), dtype=bool)] for panel in row])
    least = min(0.9, float(np.floor(values.min(initial=0.9) * 10) / 10))
    for column, panel in enumerate(row):
        axes = sheet.axes(_LEFT + column * (SIDE + _GAP), top, SIDE, SIDE)
        image = _draw_panel(axes, panel, least, first=column == 0)
    axes = sheet.axes(_LEFT + len(row) * (SIDE + _GAP), top, 0.1, SIDE)
    axes.set_title("cosine", size=7, pad=4, color=INK)
    bar = sheet.figure.colorbar(image, cax=axes, ticks=[float(tick) for tick in np.linspace(least, 1, 3)])
    bar.ax.set_yticklabels([f"{tick:.2f}" for tick in np.linspace(least, 1, 3)], size=7)
    bar.ax.tick_params(length=2)


def _draw_panel(axes: Axes, panel: Panel, least: float, *, first: bool) -> AxesImage:
    count = len(panel.cosines)
    image = axes.imshow(panel.cosines, cmap=COLOURS, vmin=least, vmax=1, interpolation="nearest")
    colour, weight = (ACCENT, "bold") if panel.asked else (INK, "normal")
    axes.set_title(panel.name, pad=4, size=9, color=colour, weight=weight)
    ticks = list(range(count) if count <= 8 else range(0, count, -(-count // 6)))
    axes.set_xticks(ticks, [str(tick + 1) for tick in ticks], size=7)
    axes.set_yticks(ticks, [str(tick + 1) if first else "" for tick in ticks], size=7)
    axes.tick_params(length=0, pad=2)
    for spine in axes.spines.values():
        spine.set(color=ACCENT if panel.asked else "#999999", linewidth=1.4 if panel.asked else 0.6)
    size = min(9.0, 9.0 * (SIDE / count - 0.05) / width_of("0.00", 9.0))
    if size < _SMALLEST:
        return image
    for (row, column), cosine in np.ndenumerate(panel.cosines):
        light = luminance((cosine - least) / (1 - least)) > _EVEN_CONTRAST
        colour = "black" if light else "white"
        axes.text(column, row, f"{cosine:.2f}", ha="center", va="center", size=size, color=colour)
    return image


def luminance(share: float) -> float:
    """Give the relative luminance of the colour at this share of the scale, 0 .. 1. Source: WCAG 2.2."""
    colour = np.asarray(colormaps[COLOURS](share))[:3]
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))
