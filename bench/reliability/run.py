"""Show every promise by a figure: what was tried, how often, and what failed.

What has been shown is kept in .cache/reliability, a file per promise, and is not tried again; the table is made of all
of it. Figures of latencies need a machine without other work: on a busy one they are printed, and not judged.

Usage: python -m bench.reliability.run [PROMISE ...] [--short] [--again] [--artifact models/all-MiniLM-L6-v2]
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.lib.machine import heading
from bench.reliability.kept import keep, kept
from bench.reliability.outcome import Outcome
from bench.reliability.place import Place, busy_cores, make_tiny
from bench.reliability.promises import GROUPS, PROMISES, Promise
from bench.reliability.soak import KEPT, PICTURE

RESULT = Path(__file__).parents[1] / "results" / "reliability.md"
NOTE = """\
`0 of n` is below 3/n with 95% confidence. Figures of latencies are not judged where the machine had other work: `others` is
how many cores it kept busy, before a promise was tried or after. Rows that tests show name them. 2x load is twice what
the server was seen to do. Load and attackers share the cores of the machine with the server."""  # noqa: E501


def cell(outcome: Outcome) -> str:
    """How many failed."""
    return f"{outcome.failed:,} of {outcome.tries:,}"


def table() -> Iterator[str]:
    """All that is kept, and what is not."""
    for group, promises in GROUPS.items():
        yield f"\n## {group}\n"
        yield "| promise | tried | failed | figure | bound | verdict | others | s |"
        yield "|---|---|---|---|---|---|---|---|"
        for promise in promises:
            shown = kept(promise.key)
            if shown is None:
                yield f"| {promise.key}. {promise.says} | not run | | | | | | |"
                continue
            for row, outcome in enumerate(shown.outcomes):
                name = "" if row else f"{promise.key}. {promise.says}"
                verdict = outcome.verdict(shown.others_cores)
                cells = (name, outcome.what, cell(outcome), outcome.figure, outcome.bound, verdict)
                yield f"| {' | '.join(cells)} | {shown.others_cores:.1f} | {shown.seconds:.0f} |"


def show(promise: Promise, place: Place) -> list[Outcome]:
    """Try a promise; prints its rows."""
    others, began = busy_cores(), time.monotonic()
    print(f"{promise.key}. {promise.says}", flush=True)
    outcomes = []
    for outcome in promise.show(place):
        outcomes.append(outcome)
        figure = f"; {outcome.figure} (bound: {outcome.bound or 'none'})" if outcome.figure else ""
        print(f"    {outcome.what}: {cell(outcome)} failed{figure}: {outcome.verdict(others)}", flush=True)
    if not place.short:
        seconds = time.monotonic() - began
        keep(promise.key, outcomes, seconds, max(others, busy_cores()))
    return outcomes


def main() -> None:
    """Show promises, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("promises", nargs="*", metavar="PROMISE", help="numbers; default: all")
    parser.add_argument("--artifact", type=Path, default=Path("models/all-MiniLM-L6-v2"))
    parser.add_argument("--short", action="store_true", help="few tries; nothing is kept")
    parser.add_argument("--again", action="store_true", help="those too that have been shown")
    arguments = parser.parse_args()
    logging.getLogger("polyseme").setLevel(logging.CRITICAL)  # of faults that are put in
    keys = set(arguments.promises)
    if unknown := {key for key in keys if not any(key in names(promise) for promise in PROMISES)}:
        parser.error(f"no promise {', '.join(sorted(unknown))}; there are {', '.join(one.key for one in PROMISES)}")
    with tempfile.TemporaryDirectory() as folder:
        place = Place(
            model=arguments.artifact.resolve(), tiny=make_tiny(Path(folder)), folder=Path(folder), short=arguments.short
        )
        for promise in PROMISES:
            if keys and not keys & names(promise):
                continue
            if arguments.again or arguments.short or kept(promise.key) is None:
                show(promise, place)
                write()
    write()


def names(promise: Promise) -> set[str]:
    """How a promise may be asked for: by its key, or its number."""
    return {promise.key, promise.key.partition("-")[0]}


def write() -> None:
    """Write the table of what is kept, and the picture of the soak."""
    lines = ["# Promises", "", "```", heading(), "```", "", NOTE, *table(), ""]
    if (KEPT / PICTURE).exists():
        shutil.copy(KEPT / PICTURE, RESULT.with_name(PICTURE))
        lines += [f"![own memory, open files and threads of the server over the soak]({PICTURE})", ""]
    RESULT.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
