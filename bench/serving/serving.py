"""The server against its own engine: what gRPC, scheduling and tokenizing cost, and what grouping wins.

Rows, measured one after the other in every round, on the same cores:
  engine, one text a run     the session called directly by one thread per core: ids ready, no padding, no gRPC
  engine, sorted batches     the same, texts sorted in a window of 64 (what 64 callers in flight offer) and cut by 4
  plain, arrival order, 8    onnxruntime with its defaults: batches of 8 in arrival order, one run on all cores
  served                     single-text calls over loopback, 64 in flight, tokenizing included

Usage: python -m bench.serving.serving ARTIFACT [--texts 1500] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
from bench.lib.closed_loop import closed_loop
from bench.lib.machine import heading
from bench.lib.server import server
from bench.lib.texts import mixed_texts
from rich.console import Console
from rich.table import Table

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import INPUT_IDS, LENGTHS, NORMALIZED
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.onnxruntime.devices import choose_device
from polyseme.runtime.engines.onnxruntime.padded_session import Session
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate
from polyseme.v1 import common_pb2, embedding_service_pb2

IN_FLIGHT = 64
CORES = len(os.sched_getaffinity(0))
Batches = list[list[list[int]]]


@dataclass(frozen=True, slots=True)
class Row:
    """One way to run all texts; `run` returns texts per second."""

    name: str
    run: Callable[[], float]


def drive(run: Callable[[Sequence[Sequence[int]]], object], batches: Batches) -> float:
    """Texts per second of a thread for each core, that take batches and run them until none is left."""
    left = iter(batches)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                batch = next(left, None)
            if batch is None:
                return
            run(batch)

    workers = [threading.Thread(target=work) for _ in range(CORES)]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(map(len, batches)) / (time.perf_counter() - started)


def drive_plain(session: onnxruntime.InferenceSession, batches: Batches) -> float:
    """Texts per second of one caller, with onnxruntime's own defaults."""
    started = time.perf_counter()
    for batch in (collate(ids, 0) for ids in batches):
        session.run([NORMALIZED], {INPUT_IDS: batch.input_ids, LENGTHS: batch.lengths})
    return sum(map(len, batches)) / (time.perf_counter() - started)


def cut(ids: Sequence[list[int]], size: int, window: int = 1) -> Batches:
    """Batches of `size`, sorted by length within windows of `window` texts; 1 leaves the order."""
    ordered: list[list[int]] = []
    for start in range(0, len(ids), window):
        ordered += sorted(ids[start : start + window], key=len) if window > 1 else ids[start : start + window]
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def call_server(target: str, texts: Sequence[str]) -> float:
    """Texts per second of single-text calls, IN_FLIGHT at once."""
    options = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
    requests = [
        embedding_service_pb2.EmbedRequest(texts=[text], text_options=options).SerializeToString() for text in texts
    ]
    return closed_loop(target, "Embed", requests, IN_FLIGHT).rate


def measure(rows: Sequence[Row], rounds: int, console: Console) -> dict[str, list[float]]:
    """Every row once per round, in turn, so that a slow minute slows all of them."""
    rates: dict[str, list[float]] = {row.name: [] for row in rows}
    for number in range(rounds + 1):
        for row in rows:
            rate = row.run()
            if number:  # the first round warms up
                rates[row.name].append(rate)
        console.print(f"round {number} of {rounds}{'' if number else ' (warm-up, not counted)'}", style="dim")
    return rates


def show(rates: dict[str, list[float]], console: Console) -> None:
    """The table: rates, and ratios of the served row to each other row within the same round."""
    table = Table()
    for heading_text in ("", "texts/s median", "min..max", "served / this, median", "min..max"):
        table.add_column(heading_text, justify="left" if not heading_text else "right", no_wrap=True)
    served = rates["served"]
    for name, values in rates.items():
        ratios = [s / v for s, v in zip(served, values, strict=True)]
        table.add_row(
            name,
            f"{statistics.median(values):.1f}",
            f"{min(values):.1f}..{max(values):.1f}",
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f}..{max(ratios):.2f}",
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--texts", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    console = Console(width=120)

    artifact = Artifact.open(args.artifact)
    spec = artifact.manifest.model
    texts, origin = mixed_texts(args.texts)
    tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=spec.encoder.vocab_size)
    options = EncodeOptions(limit=spec.max_tokens, truncate=Truncate.END)
    ids = [list(text.ids) for text in tokenizer.encode(texts, options)]
    device = choose_device("auto", artifact)
    session = Session(artifact, device)
    graph = artifact.path(artifact.manifest.precisions[device.precision].graphs[Variant.EMBED])
    plain = onnxruntime.InferenceSession(str(graph), providers=[device.execution_provider])

    def run(batch: Sequence[Sequence[int]]) -> None:
        session.run(collate(batch, 0), [NORMALIZED])

    console.print(heading())
    lengths = sorted(map(len, ids))
    console.print(
        f"texts:   {len(texts)} from {origin}\n"
        f"tokens:  median {lengths[len(ids) // 2]}, mean {sum(lengths) / len(ids):.0f}, "
        f"90% <= {lengths[len(ids) * 9 // 10]}\n"
        f"model:   {artifact.manifest.name}, {device.precision.value} on "
        f"{device.execution_provider}; {IN_FLIGHT} calls in flight\n"
    )
    with server(args.artifact) as target:
        rows = (
            Row("engine, one text a run", lambda: drive(run, cut(ids, 1))),
            Row("engine, sorted batches", lambda: drive(run, cut(ids, 4, IN_FLIGHT))),
            Row("plain, arrival order, 8", lambda: drive_plain(plain, cut(ids, 8))),
            Row("served", lambda: call_server(target, texts)),
        )
        show(measure(rows, args.rounds, console), console)


if __name__ == "__main__":
    main()
