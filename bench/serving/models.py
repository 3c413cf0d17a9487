"""Two models in one server: rate and p99 of each alone, together, and with one flooded by bulk.

Usage: python -m bench.serving.models ARTIFACT OTHER [--seconds 10] [--rounds 3] [--write]

OTHER is a second artifact with weights and a name of its own. Every reply is compared with what its model's engine
gives in this process. Ratios are within a round; the load generator shares the cores with the server.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bench.lib.machine import heading
from bench.lib.server import server

from polyseme.artifact import TOKENIZER, Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED
from polyseme.client import Client
from polyseme.runtime.engines.onnxruntime.devices import choose_device
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer

TEXTS = [f"the bank of the river was number {i}, and it was green" for i in range(16)]
CALLERS, BULK_CALLERS, BULK_TEXTS = 4, 4, 32
Vectors = npt.NDArray[np.float32]


def reference(path: Path) -> tuple[str, Vectors]:
    """The model's name, and its vectors of TEXTS, without a server."""
    artifact = Artifact.open(path)
    spec = artifact.manifest.model
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=spec.encoder.vocab_size)
    engine = PaddedEngine(artifact, choose_device("cpu", artifact), intra_op_threads=0)
    batch = engine.collate([text.ids for text in tokenizer.encode(TEXTS, EncodeOptions(limit=spec.max_tokens))])
    (vectors,) = engine.run(Variant.EMBED, batch, [NORMALIZED if spec.embedding.normalizes else POOLED])
    return artifact.manifest.name, vectors


@dataclass
class Load:
    """Callers of two models on one server."""

    target: str
    references: dict[str, Vectors]
    seconds: float
    checked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, single: list[str], bulk: str = "") -> dict[str, tuple[float, float]]:
        """Single-text calls of some models, and 32-text bulk calls of one: per model texts a second and p99 in ms.

        Raises:
            SystemExit: a reply is not its model's.
        """
        times: dict[str, list[float]] = {name: [] for name in single}
        texts = dict.fromkeys(self.references, 0)
        end = time.perf_counter() + self.seconds
        jobs = [(name, i, 1) for name in single for i in range(CALLERS)]
        jobs += [(bulk, i, BULK_TEXTS) for i in range(BULK_CALLERS if bulk else 0)]
        failures: list[str] = []

        def call(name: str, at: int, count: int) -> None:
            chosen = [(at + i) % len(TEXTS) for i in range(count)]
            with Client(self.target, model=name, timeout=60) as client:
                while (started := time.perf_counter()) < end:
                    got = client.embed([TEXTS[i] for i in chosen], priority="bulk" if count > 1 else "interactive")
                    taken = time.perf_counter() - started
                    with self.lock:
                        if not np.allclose(got, self.references[name][chosen], atol=1e-5):
                            failures.append(name)
                        self.checked += count
                        texts[name] += count
                        if count == 1:
                            times[name].append(taken)

        threads = [threading.Thread(target=call, args=job) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise SystemExit(f"{len(failures)} replies are not those of their model: {sorted(set(failures))}")
        return {
            name: (count / self.seconds, float(np.percentile(times[name], 99)) * 1e3 if times.get(name) else np.nan)
            for name, count in texts.items()
            if count
        }


def rounds(load: Load, count: int) -> list[str]:
    """Rows: medians over rounds, and the ratio to the model alone in the same round, with its spread."""
    first, second = load.references
    cases = {
        "alone": [([first], ""), ([second], "")],
        "together": [([first, second], "")],
        f"{first} flooded by bulk": [([second], first)],
        f"{second} flooded by bulk": [([first], second)],
    }
    seen: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for _ in range(count):
        alone: dict[str, float] = {}
        for case, runs in cases.items():
            for single, bulk in runs:
                for name, (rate, p99) in load.run(single, bulk).items():
                    alone.setdefault(name, rate)
                    seen.setdefault((case, name), []).append((rate, p99, rate / alone[name]))
    return [_row(case, name, values) for (case, name), values in seen.items()]


def _row(case: str, name: str, values: list[tuple[float, float, float]]) -> str:
    rate, p99, ratio = (statistics.median(column) for column in zip(*values, strict=True))
    spread = f"{min(r for *_, r in values):.2f}..{max(r for *_, r in values):.2f}"
    return f"| {case} | {name} | {rate:.0f} | {'' if np.isnan(p99) else f'{p99:.0f}'} | {ratio:.2f} ({spread}) |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number, artifact in enumerate((args.artifact, args.other)):
            (Path(folder) / str(number)).symlink_to(artifact.resolve())
        with server(Path(folder)) as target:
            load = Load(target, dict(map(reference, (args.artifact, args.other))), args.seconds)
            rows = rounds(load, args.rounds)
    text = "\n".join(
        [
            "# Two models in one server",
            "",
            f"{CALLERS} callers of single texts per model; a flood is {BULK_CALLERS} callers of {BULK_TEXTS} texts",
            "in the bulk lane. Ratio: texts a second to the same model alone in the same round. Read ratios, not",
            "rates: the callers share the cores with the server.",
            "",
            "```",
            heading(),
            f"replies:  {load.checked} vectors, each that of its own model to 1e-5; 0 others",
            "```",
            "",
            "| case | model | texts/s | p99 ms of single texts | ratio to alone |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    print(text)
    if args.write:
        (Path(__file__).parents[1] / "results/models.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
