"""A call beside what was recorded last: Python calls, and CPU microseconds outside of the session. Judges nothing.

Usage: python -m bench.cost.call_cost ARTIFACT [--record]

The CPU is that of `hot_path`: a server whose engine gives vectors that lie ready. It moves with the machine, and with
what else that does; the echo beside it tells how much. --record keeps the figures in bench/results/call-cost.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.cost.hot_path import ECHO, requests_of, started
from bench.cost.python_calls import counts
from bench.lib.closed_loop import WARM_UP_CALLS, call_in_a_loop
from bench.lib.machine import heading
from bench.lib.server import cpu_seconds

RECORD: Final = Path(__file__).parents[1] / "results" / "call-cost.json"
CALLS: Final = {1: 150, 32: 6}  # by texts of a call


def figures(artifact: Path) -> Iterator[tuple[str, float]]:
    """Name and give each figure."""
    for texts, calls in CALLS.items():
        requests = requests_of(texts, calls)
        yield f"Python calls of {texts}", round(sum(counts(sys.executable, artifact, requests).values()))
    with multiprocessing.get_context("spawn").Pool(1) as pool, started("serve", str(artifact)) as ready:
        for texts, calls in CALLS.items():
            requests = requests_of(texts, calls)
            yield f"CPU us of {texts}", _cpu_us(pool, ready, requests)
        with started(ECHO, "1536") as echo:
            yield f"CPU us of {ECHO}", _cpu_us(pool, echo, requests_of(1, CALLS[1]))


def _cpu_us(pool: multiprocessing.pool.Pool, server: tuple[str, int], requests: list[bytes]) -> float:
    target, pid = server
    taken = []
    for _ in range(4):
        before = cpu_seconds(pid)
        pool.apply(call_in_a_loop, (target, "Embed", requests, 1))
        taken.append(cpu_seconds(pid) - before)
    return round(min(taken) / (len(requests) + WARM_UP_CALLS) * 1e6)  # others on the machine only add to it


def main() -> None:
    """Print each figure; --record keeps them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    found = {}
    print("one Embed, by texts:")
    for name, figure in figures(arguments.artifact):
        found[name] = figure
        print(f"{name:20} {figure:8.0f}   recorded {recorded.get(name, 'never')}", flush=True)
    if arguments.record:
        content = {"heading": heading().splitlines(), **found}
        RECORD.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
