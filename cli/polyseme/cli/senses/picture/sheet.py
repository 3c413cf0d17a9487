"""A figure whose items are placed in inches from its upper left corner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text


class Sheet:
    """A white figure.

    Attributes:
        figure: the matplotlib figure to draw on.
        width: width in inches.
        height: height in inches.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes that cover a rectangle; inches."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def frame(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes without ticks, whose data coordinates are inches from the lower left corner."""
        axes = self.axes(left, top, width, height)
        axes.set_xlim(0, width)
        axes.set_ylim(0, height)
        axes.set_xticks([])
        axes.set_yticks([])
        return axes

    def text(self, left: float, top: float, text: str, **style: Any) -> Text:  # noqa: ANN401  matplotlib's
        """Write a line; its baseline is `top` inches from above."""
        return self.figure.text(left / self.width, 1 - top / self.height, text, parse_math=False, **style)
