"""Embedding Parquet on Ray beside one process that does the same: rows a second, by turns, of one server.

Usage: .venv-ray/bin/python -m bench.serving.on_ray ARTIFACT [--rows 2000] [--rounds 2] [--write]

`make test-ray` makes the environment. The times hold reading, writing and the start of the workers, not that of Ray.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before ray is imported

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from bench.lib.machine import heading, versions
from bench.lib.server import server
from bench.lib.texts import mixed_texts
from examples.bulk.on_ray import Embedder, embed

from polyseme.client import Client

RESULT = Path(__file__).parents[1] / "results/on-ray.md"
_TITLE = "# On Ray, beside one process"
_NOTES = """\
One machine: Ray's processes, its workers and the server share the cores. So Ray can add nothing, and the ratio is its
price. Nothing was measured on more machines."""


def in_one_process(connect: Callable[[], Client], given: Path, out: Path, rows: int) -> None:
    """Do what a worker does, without Ray: read, embed block by block, write."""
    embedder = Embedder(connect, truncate="end")
    table = pq.read_table(given)
    blocks = [embedder(table.slice(first, rows)) for first in range(0, len(table), rows)]
    pq.write_table(pa.concat_tables(blocks), out)


def seconds(work: Callable[[], None]) -> float:
    """Run it; give how long it took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(target: str, folder: Path, texts: list[str], args: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Give the seconds of one process, and those on Ray, of every round."""
    given, connect = folder / "in.parquet", partial(Client, target)
    pq.write_table(pa.table({"id": range(len(texts)), "text": texts}), given)
    alone, on_ray = [], []
    for number in range(args.rounds):
        one, parts = folder / f"one-{number}.parquet", folder / f"ray-{number}"
        alone.append(seconds(partial(in_one_process, connect, given, one, args.block)))
        run = partial(embed, str(given), str(parts), connect, truncate="end", workers=args.workers, rows=args.block)
        on_ray.append(seconds(run))
        if sorted(pq.read_table(parts)["id"].to_pylist()) != list(range(len(texts))):
            raise SystemExit("on Ray, rows are missing, or there twice")
    return alone, on_ray


def seconds_of_one_row(target: str, folder: Path, args: argparse.Namespace) -> float:
    """Give the seconds of one row on Ray: what a run costs whatever it embeds."""
    given = folder / "one.parquet"
    pq.write_table(pa.table({"text": ["A cat."]}), given)
    out = str(folder / "one-row")
    return seconds(partial(embed, str(given), out, partial(Client, target), workers=args.workers, rows=args.block))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--block", type=int, default=250, help="rows of a block [%(default)s]")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="keep the result in bench/results/on-ray.md")
    args = parser.parse_args()
    texts, source = mixed_texts(args.rows)
    with tempfile.TemporaryDirectory() as folder, server(args.artifact) as target:
        start_s = seconds(lambda: ray.init(log_to_driver=False))
        one_row_s = seconds_of_one_row(target, Path(folder), args)
        alone, on_ray = measure(target, Path(folder), texts, args)
        ray.shutdown()
    ratios = [one / other for one, other in zip(alone, on_ray, strict=True)]
    text = "\n".join(
        (
            heading(),
            f"         {versions('ray', 'pyarrow')}",
            f"texts:   {args.rows:,} from {source}, in blocks of {args.block}; {args.rounds} rounds; medians",
            f"start:   {start_s:.1f} s of Ray, not in the table; {one_row_s:.1f} s of a run of one row, in the table",
            "",
            f"{'':<16}{'rows/s':>8}{'of one process':>16}   min..max",
            f"{'one process':<16}{args.rows / statistics.median(alone):>8.1f}{1:>16.2f}",
            f"{f'Ray, {args.workers} workers':<16}{args.rows / statistics.median(on_ray):>8.1f}"
            f"{statistics.median(ratios):>16.2f}   {min(ratios):.2f}..{max(ratios):.2f}",
        )
    )
    print(text)
    if args.write:
        RESULT.write_text(f"{_TITLE}\n\n```\n{text}\n```\n\n{_NOTES}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
