"""The learning curve and the confusion matrix as SVG, by matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from polyseme.export.fitting.curve import Point
from polyseme.export.fitting.fit import Fitted

_MOST_NAMES: Final = 40
_LONGEST_NAME: Final = 24


def draw_curve(points: tuple[Point, ...], path: Path, measure: str = "accuracy") -> None:
    """Draw accuracy, or another measure, on the texts held out, by how many a classifier is trained on."""
    with _axes(path, (6, 4)) as axes:
        rows = [point.rows for point in points]
        axes.errorbar(
            rows, [point.score for point in points], yerr=[point.error for point in points], marker="o", capsize=3
        )
        axes.set_xscale("log", base=2)
        axes.set_xticks(rows, [str(each) for each in rows])
        axes.set_xlabel("rows to train on")
        axes.set_ylabel(f"{measure} on the rows held out, ± standard error")
        axes.grid(visible=True, alpha=0.3)


def draw_confusion(fitted: Fitted, path: Path) -> None:
    """Draw as which class the texts of each are taken, in shares."""
    counts = fitted.confusion
    side = min(3 + 0.4 * len(counts), 20)
    with _axes(path, (side + 1, side)) as axes:
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xlabel("taken for")
        axes.set_ylabel("is")
        if len(counts) > _MOST_NAMES:
            return
        names = [_short(name) for name in fitted.classes]
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=ink, fontsize=8)


@contextmanager
def _axes(path: Path, size: tuple[float, float]) -> Iterator[Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The same bytes from the same figures; letters as text; $ in a name is no formula.
    with mpl.rc_context({"svg.hashsalt": "polyseme", "svg.fonttype": "none", "text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure.add_subplot()
        figure.savefig(path, format="svg", metadata={"Date": None})


def _short(name: str) -> str:
    printable = "".join(each if each.isprintable() else "?" for each in name)
    return printable if len(printable) <= _LONGEST_NAME else f"{printable[: _LONGEST_NAME - 1]}…"
