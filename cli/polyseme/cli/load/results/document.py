"""Write the results as JSON, in the layout that FORMAT names; it grows by new keys only."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyseme.artifact import own_version
from polyseme.cli.errors import CliError
from polyseme.cli.load.histogram import Histogram
from polyseme.cli.load.results.report import PERCENTS, bottlenecks
from polyseme.cli.load.shape import OpenLoop
from polyseme.cli.load.tally import LATE_S, Tally, name_of

if TYPE_CHECKING:
    from polyseme.client import Model

FORMAT: Final = "polyseme.bench/1"


def write(args: argparse.Namespace, model: Model, processes: int, tallies: Sequence[Tally]) -> None:
    """Write everything to the file that --json names; - is stdout.

    Raises:
        CliError: the file cannot be written.
    """
    text = json.dumps(_document(args, model, processes, tallies), allow_nan=False)
    if args.json == "-":
        print(text)
        return
    try:
        Path(args.json).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise CliError(f"cannot write {args.json}: {error.strerror}", 2) from error


def _document(args: argparse.Namespace, model: Model, processes: int, tallies: Sequence[Tally]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "target": args.target,
        "model": {
            "name": model.name,
            "version": model.identity.version,
            "precision": model.identity.precision,
            "execution_provider": model.identity.execution_provider,
        },
        "method": args.method,
        "texts_per_call": args.size,
        "connections": args.connections,
        "processes": processes,
        "warm_up_s": args.warm_up,
        "timeout_s": args.timeout,
        "generator": {
            "polyseme": own_version(),
            "grpcio": metadata.version("grpcio"),
            "python": platform.python_version(),
            "cores": len(os.sched_getaffinity(0)),
        },
        "runs": [run_to_json(tally, args.size) for tally in tallies],
    }


def run_to_json(tally: Tally, texts_per_call: int) -> dict[str, Any]:
    """Give all results of one run; times in ms, histograms as [end of bucket, count]."""
    shape = tally.shape
    loop: dict[str, Any] = (
        {"loop": "open", "rate": shape.rate, "spacing": shape.spacing, "seed": shape.seed}
        if isinstance(shape, OpenLoop)
        else {"loop": "closed", "concurrency": shape.concurrency}
    )
    return {
        **loop,
        "seconds": round(tally.seconds, 6),
        "interrupted": tally.interrupted_s is not None,
        "calls": tally.calls,
        "unfinished": tally.unfinished,
        "statuses": {name_of(code): number for code, number in tally.statuses.most_common()},
        "messages": {name_of(code): text for code, text in tally.details.items()},
        "ok_per_s": tally.ok_per_s,
        "not_ok_per_s": tally.refused_per_s,
        "texts_per_s": tally.ok_per_s * texts_per_call,
        "received_bytes": tally.received_bytes,
        "latency_ms": {
            "from_schedule": _summary(tally.from_due),
            "from_send": _summary(tally.from_sent),
            "not_ok_from_send": _summary(tally.refused),
        },
        "sent_late": {"calls": tally.late, "threshold_ms": LATE_S * 1e3, "lateness_ms": _summary(tally.lateness)},
        "generators": [asdict(generator) for generator in tally.generators],
        "warnings": list(bottlenecks(tally)),
        "histograms_ms": {
            "from_schedule": tally.from_due.to_json(),
            "from_send": tally.from_sent.to_json(),
            "not_ok_from_send": tally.refused.to_json(),
            "lateness": tally.lateness.to_json(),
        },
    }


def _summary(histogram: Histogram) -> dict[str, float | None]:
    names = ("mean", *(f"p{percent:g}" for percent in PERCENTS), "max")
    values = (histogram.mean_s, *histogram.percentiles_s(PERCENTS), histogram.max_s)
    return {
        name: None if math.isnan(value) else round(value * 1e3, 6) for name, value in zip(names, values, strict=True)
    }
