"""Draw a sweep: latency over offered load above, rates of OK and other replies below."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from polyseme.cli.errors import CliError
from polyseme.cli.load.shape import OpenLoop
from polyseme.cli.load.tally import Tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE: Final[Any] = {
    "font.family": ["DejaVu Sans"],
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "polyseme",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
}
_INK: Final = "#222222"
_BLUE: Final = "#00509d"
_RED: Final = "#b3261e"
_GREY: Final = "#777777"
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Latency over offered load</title>
<style>body {{ max-width: 1100px; margin: 1rem auto; padding: 0 1rem }} svg {{ width: 100%; height: auto }}</style>
{svg}
</html>
"""


def draw(tallies: Sequence[Tally], target: Path, subtitle: str) -> None:
    """Write the picture; the rate of a closed loop among the runs is marked as the capacity.

    Raises:
        CliError: the file cannot be written, or there are fewer than two rates to draw.
    """
    sweep = sorted((tally for tally in tallies if isinstance(tally.shape, OpenLoop) and tally.calls), key=_offered)
    if len(sweep) < 2:
        raise CliError(f"no picture: {len(sweep)} rates were measured, two are needed")
    capacity = next((tally.ok_per_s for tally in tallies if not isinstance(tally.shape, OpenLoop)), None)
    with mpl.rc_context(_STYLE):
        content = _encoded(_figure(sweep, capacity, subtitle), target.suffix.lower())
    try:
        target.write_bytes(content)
    except OSError as error:
        raise CliError(f"cannot write {target}: {error.strerror}", 2) from error


def _encoded(drawing: Figure, suffix: str) -> bytes:
    kind = "png" if suffix == ".png" else "svg"
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    buffer = io.BytesIO()
    drawing.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    if suffix != ".html":
        return buffer.getvalue()
    svg = buffer.getvalue().decode()
    return _PAGE.format(svg=svg[svg.index("<svg") :]).encode()


def _offered(tally: Tally) -> float:
    return tally.shape.rate if isinstance(tally.shape, OpenLoop) else 0.0


def _figure(sweep: Sequence[Tally], capacity: float | None, subtitle: str) -> Figure:
    drawing = Figure(figsize=(9, 7.6), facecolor="white", layout="constrained")
    upper, lower = drawing.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    drawing.suptitle(f"Latency over offered load, open loop\n{subtitle}", size=12, color=_INK)
    _draw_latencies(upper, sweep)
    _draw_rates(lower, sweep)
    if capacity:
        for axes in (upper, lower):
            axes.axvline(capacity, color=_GREY, linewidth=1, linestyle=":", zorder=0)
        place = {"xy": (capacity, 1), "xycoords": upper.get_xaxis_transform(), "textcoords": "offset points"}
        upper.annotate(
            f"closed loop: {capacity:.0f}/s", **place, xytext=(-5, -2), ha="right", va="top", size=9, color=_GREY
        )
    return drawing


def _draw_latencies(axes: Axes, sweep: Sequence[Tally]) -> None:
    offered = [_offered(tally) for tally in sweep]
    for percent, colour in ((99, _RED), (50, _BLUE)):
        due = [tally.from_due.percentiles_s((percent,))[0] * 1e3 for tally in sweep]
        sent = [tally.from_sent.percentiles_s((percent,))[0] * 1e3 for tally in sweep]
        axes.plot(offered, due, "o-", color=colour, label=f"p{percent} from schedule", markersize=5)
        axes.plot(offered, sent, "x--", color=colour, label=f"p{percent} from send", markersize=5, linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(_minor(axes)))
    axes.tick_params(axis="y", which="minor", labelsize=7, labelcolor=_GREY)
    axes.set_title("latency of OK calls, ms (logarithmic)")
    axes.grid(axis="y", color="#e0e0e0")
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def _minor(axes: Axes) -> Callable[[float, int], str]:
    """Format minor ticks: name 2 and 5 of each power of ten, where few powers are shown."""

    def name(value: float, _: int) -> str:
        low, high = axes.get_ylim()
        leading = round(value / 10 ** math.floor(math.log10(value)))
        return f"{value:g}" if leading in (2, 5) and high / low < 1e4 else ""

    return name


def _draw_rates(axes: Axes, sweep: Sequence[Tally]) -> None:
    offered = [_offered(tally) for tally in sweep]
    axes.plot([0, offered[-1]], [0, offered[-1]], color="#c0c0c0", linewidth=1, label="offered")
    axes.plot(offered, [tally.ok_per_s for tally in sweep], "o-", color=_BLUE, markersize=5, label="OK (goodput)")
    axes.plot(offered, [tally.refused_per_s for tally in sweep], "s-", color=_RED, markersize=4, label="not OK")
    axes.set_title("calls a second")
    axes.set_xlabel("offered calls a second")
    axes.set_xlim(0, offered[-1] * 1.03)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#e0e0e0")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
