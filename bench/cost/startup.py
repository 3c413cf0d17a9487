"""Seconds from `polyseme serve` to ready: process start, imports, hashes, session, warm-up.

Usage: python -m bench.cost.startup ARTIFACT [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from bench.lib.machine import heading
from bench.lib.server import server


def seconds_to_ready(artifact: Path) -> float:
    """Start a server and stop it when its EmbeddingService is SERVING."""
    started = time.perf_counter()
    with server(artifact):
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(heading())
    seconds = [seconds_to_ready(args.artifact) for _ in range(args.rounds)]
    spread = f"{min(seconds):.2f}..{max(seconds):.2f}"
    print(f"ready after {statistics.median(seconds):.2f} s (median of {args.rounds}; {spread})")


if __name__ == "__main__":
    main()
