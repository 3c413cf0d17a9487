"""Print the results of a run as tables."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from polyseme.cli.load.histogram import Histogram
from polyseme.cli.load.shape import LoadShape, OpenLoop
from polyseme.cli.load.tally import LATE_S, Tally, name_of
from polyseme.cli.output.lines import abridge
from polyseme.cli.output.table import print_table

if TYPE_CHECKING:
    from polyseme.client import Model

PERCENTS: Final = (50.0, 90.0, 95.0, 99.0, 99.9)
BUSY: Final = 0.8
"""Share of a core from which the generator itself, one thread of Python, adds to the latencies."""
LAG_S: Final = 5e-3
"""Lateness of the event loop (p99) from which it does too."""

_DEADLINE_EXCEEDED: Final = 4
_TIMED_OUT: Final = "calls that timed out are not in the percentiles: the true tail is longer"
_SWEEP_CAPTION: Final = (
    "ms of OK calls, from when the call was scheduled; sent: from sending; late: from the schedule to sending"
)


def described(shape: LoadShape) -> str:
    """Describe a load in a few words."""
    if isinstance(shape, OpenLoop):
        return f"open loop, {shape.rate:g} calls/s, {shape.spacing}"
    return f"closed loop, {shape.concurrency} callers"


def print_head(args: argparse.Namespace, model: Model, texts: int, processes: int) -> None:
    """Print the server, the model and the settings of the run."""
    count = f"{args.calls} calls" if args.calls else f"{args.duration:g} s"
    of = model.identity
    print(f"{args.target}: {model.name} ({of.version}), {of.precision} on {of.execution_provider}")
    print(
        f"{args.method}, {args.size} of {texts} texts a call; {args.connections} connections, {processes} process(es); "
        f"{args.warm_up:g} s warm-up, then {count}; timeout {args.timeout:g} s"
    )


def print_tallies(tallies: Sequence[Tally], texts_per_call: int) -> None:
    """Print one run in full, or a table of several."""
    if len(tallies) == 1:
        print_run(tallies[0], texts_per_call)
    else:
        print_sweep(tallies)


def print_run(tally: Tally, texts_per_call: int) -> None:
    """Print everything about one run."""
    rows = [_latency_row("sent", tally.from_sent)]
    if isinstance(tally.shape, OpenLoop):
        rows.insert(0, _latency_row("scheduled", tally.from_due))
    if tally.refused.count:
        rows.append(_latency_row("sent, not OK", tally.refused))
    print_table(
        ("ms since the call was:", "count", "mean", *(f"p{percent:g}" for percent in PERCENTS), "max"),
        rows,
        caption="OK calls; of those that ended otherwise in a row of its own" if tally.refused.count else None,
    )
    print_table(
        ("status:", "calls", "share", "first message:"),
        [
            (name_of(code), str(number), f"{number / tally.calls:.2%}", abridge(tally.details.get(code, ""), 90))
            for code, number in tally.statuses.most_common()
        ],
    )
    print(
        f"{described(tally.shape)}: {tally.calls} calls counted in {tally.seconds:.2f} s; {tally.ok_per_s:.1f} OK/s "
        f"({tally.ok_per_s * texts_per_call:.1f} texts/s), {tally.received_bytes / 1e6:.2f} MB received"
    )
    for note in notes(tally):
        print(note)


def print_sweep(tallies: Sequence[Tally]) -> None:
    """Print a row per offered rate."""
    rows = []
    for tally in tallies:
        offered = f"{tally.shape.rate:.1f}" if isinstance(tally.shape, OpenLoop) else "closed"
        latencies = (*tally.from_due.percentiles_s((50, 99)), *tally.from_sent.percentiles_s((50, 99)))
        late = tally.lateness.percentiles_s((99,))[0]
        others = ", ".join(f"{number} {name_of(code)}" for code, number in tally.statuses.most_common() if code)
        figures = (f"{value * 1e3:.1f}" for value in (*latencies, late))
        rows.append((offered, f"{tally.ok_per_s:.1f}", f"{tally.refused_per_s:.1f}", *figures, others))
    headings = ("offered/s", "OK/s", "not OK/s", "p50 ms", "p99 ms", "p50 sent", "p99 sent", "late p99", "not OK:")
    print_table(headings, rows, caption=_SWEEP_CAPTION)
    for note in _sweep_notes(tallies):
        print(note)


def _sweep_notes(tallies: Sequence[Tally]) -> Iterator[str]:
    if any(tally.statuses[_DEADLINE_EXCEEDED] for tally in tallies):
        yield _TIMED_OUT
    if tallies[-1].interrupted_s is not None:
        yield f"interrupted: the last row is of a part of its time; {tallies[-1].unfinished} calls were under way"
    warned = [tally for tally in tallies if any(bottlenecks(tally))]
    if warned:
        lag = max(generator.lag_p99_s for tally in warned for generator in tally.generators)
        cpu = max(generator.cpu for tally in warned for generator in tally.generators)
        yield (
            f"WARNING: in {len(warned)} of {len(tallies)} rows the load generator was short of CPU, and the latencies "
            f"contain it: up to {cpu:.0%} of a core a process, {_ms(lag)} ms late (p99). Another machine is better"
        )


def notes(tally: Tally) -> Iterator[str]:
    """Give notes that a reader needs to judge the figures."""
    if isinstance(tally.shape, OpenLoop) and tally.lateness.count:
        p50, p99 = tally.lateness.percentiles_s((50, 99))
        yield (
            f"sent late (by {LATE_S * 1e3:g} ms or more): {tally.late} of {tally.lateness.count} calls; lateness "
            f"p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, max {tally.lateness.max_s * 1e3:.2f} ms"
        )
    if tally.statuses[_DEADLINE_EXCEEDED]:
        yield _TIMED_OUT
    if tally.interrupted_s is not None:
        yield f"interrupted: {tally.unfinished} calls were under way and are not counted"
    yield from bottlenecks(tally)


def bottlenecks(tally: Tally) -> Iterator[str]:
    """Give a warning for each process that was short of CPU: the figures then measure the generator."""
    for number, generator in enumerate(tally.generators, 1):
        if generator.cpu >= BUSY:
            yield (
                f"WARNING: the load generator is a bottleneck: process {number} used {generator.cpu:.0%} of a core. "
                "Offer less, use more --connections and --processes, or another machine"
            )
        elif generator.lag_p99_s >= LAG_S:
            yield (
                f"WARNING: the load generator was late: process {number} by {_ms(generator.lag_p99_s)} ms (p99), "
                f"{_ms(generator.lag_max_s)} ms (max), with {generator.cpu:.0%} of a core: cores are short, and the "
                "latencies contain it"
            )


def _latency_row(name: str, histogram: Histogram) -> tuple[str, ...]:
    values = (histogram.mean_s, *histogram.percentiles_s(PERCENTS), histogram.max_s)
    return (name, str(histogram.count), *(_ms(value) for value in values))


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"
