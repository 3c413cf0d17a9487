"""What packed batches cost the host: putting texts together, deriving the graph's inputs, copying them side by side.

Usage: python -m bench.gpu.packing [--texts 32] [--runs 3000] [--write]

On one thread, without a graph and without a GPU; ids are int32 arrays, as the tokenizer gives them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench.lib.machine import heading

from polyseme.artifact import Precision
from polyseme.runtime.batches.packed import Bucket, pack
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.packed_session import _Staging

RESULT = Path(__file__).parents[1] / "results" / "packing.md"


def microseconds(step: Callable[[], object], runs: int) -> tuple[float, float, float]:
    """Median, first and ninth decile."""
    times = np.empty(runs)
    for run in range(runs):
        begin = time.perf_counter()
        step()
        times[run] = time.perf_counter() - begin
    median, low, high = np.quantile(times * 1e6, [0.5, 0.1, 0.9]).tolist()
    return median, low, high


def table(texts: int, runs: int) -> str:
    """A row per step, and their sum."""
    rng = np.random.default_rng(0)
    ids = [rng.integers(5, 30_000, length, dtype=np.int32) for length in rng.integers(8, 60, texts)]
    batch, staging = pack(ids), _Staging(Device(execution_provider=CPU, precision=Precision.FP16))
    tokens = len(batch.input_ids)
    bucket = Bucket.of(1 << (tokens - 1).bit_length(), 512, texts)
    feeds = batch.feeds()
    steps: dict[str, Callable[[], object]] = {
        "put texts together": lambda: pack(ids),
        "look for ids outside the vocabulary": lambda: (batch.input_ids.min(), batch.input_ids.max()),
        "derive the inputs": batch.feeds,
        "lay them side by side, and copy": lambda: staging.put(feeds),
    }
    measured = {name: microseconds(step, runs) for name, step in steps.items()}
    measured["in all"] = (sum(median for median, _, _ in measured.values()), 0.0, 0.0)
    measured["fill up a bucket, where one takes the batch"] = microseconds(lambda: batch.fitted(bucket, 0), runs)
    lines = [f"{texts} texts, {tokens} tokens", "", "| step | us, median | 10 % .. 90 % |", "|---|---:|---:|"]
    for name, (median, low, high) in measured.items():
        lines.append(f"| {name} | {median:.1f} | {f'{low:.1f} .. {high:.1f}' if high else ''} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--write", action="store_true", help="into bench/results/packing.md")
    args = parser.parse_args()
    text = f"# The host's part of a packed batch\n\n```\n{heading()}\n```\n\n{table(args.texts, args.runs)}\n"
    if args.write:
        RESULT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
