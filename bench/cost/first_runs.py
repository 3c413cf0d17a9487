"""CPU of the first run of a shape beside later ones, after a probe has been run: what a warm-up may save on a CPU.

Usage: python -m bench.cost.first_runs ARTIFACT [--engines 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from pathlib import Path

from bench.lib.machine import heading

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, SPAN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.base import Engine
from polyseme.runtime.engines.onnxruntime.devices import choose_devices
from polyseme.runtime.engines.registry import make_engine
from polyseme.runtime.verification.proof import prove

SHAPES = ((1, 8), (1, 64), (4, 32), (1, 100))
GRAPHS = {"embed": (Variant.EMBED, False), "embed, alone": (Variant.EMBED, True), "layers": (Variant.LAYERS, False)}
LATER = 4


def run_ms(engine: Engine, artifact: Artifact, graph: str, shape: tuple[int, int]) -> float:
    """Milliseconds of CPU of one run, of all threads."""
    (variant, alone), (rows, length), model = GRAPHS[graph], shape, artifact.manifest.model
    batch = engine.collate([[model.encoder.pad_token_id] * length] * rows)
    selection = every_state(batch, model.encoder.num_hidden_layers) if variant is Variant.LAYERS else None
    outputs = [SPAN_VECTORS] if selection else [POOLED, NORMALIZED]
    started = time.process_time()
    engine.run(variant, batch, outputs, selection, alone)
    return (time.process_time() - started) * 1e3


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--engines", type=int, default=5)
    arguments = parser.parse_args()
    artifact = Artifact.open(arguments.artifact)
    runs: dict[tuple[str, tuple[int, int]], list[tuple[float, float]]] = defaultdict(list)
    for _ in range(arguments.engines):
        engine = make_engine(artifact, choose_devices("cpu", artifact), lone_threads=2)
        prove(engine, artifact)
        for graph in GRAPHS:
            for shape in SHAPES:
                first, *later = (run_ms(engine, artifact, graph, shape) for _ in range(1 + LATER))
                runs[graph, shape].append((first, min(later)))
        engine.close()
    print(heading())
    print(f"\n| {arguments.engines} engines | texts x tokens | first run, CPU ms | least of {LATER} later | ratio |")
    print("|---|---|---:|---:|---:|")
    for (graph, (rows, length)), pairs in runs.items():
        first, later = (statistics.median(each) for each in zip(*pairs, strict=True))
        print(f"| {graph} | {rows} x {length} | {first:.1f} | {later:.1f} | {first / later:.2f} |")


if __name__ == "__main__":
    main()
