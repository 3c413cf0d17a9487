"""One text alone, and many beside each other: how many threads run a text, and how many texts run side by side.

All servers run at once; in each round every load meets every one of them in turn, in an order that changes, so that
what else the machine does meets all. `by hand` is onnxruntime as it comes, on all cores, in a process of its own:
tokenize, run, one text after the other. Of calls of 32 texts it runs each as one batch.

Usage: python -m bench.serving.lone_caller ARTIFACT [--rounds 3] [--only LOAD ...] [--settings NAME=FLAGS ...] [--write]
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shlex
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from bench.lib.closed_loop import Load, call_in_a_loop
from bench.lib.machine import heading
from bench.lib.server import cpu_seconds, resident_mib, server_process
from bench.lib.texts import mixed_texts

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import INPUT_IDS, LENGTHS, NORMALIZED
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

RESULT: Final = Path(__file__).parents[1] / "results" / "lone-caller.md"
BY_FOUR: Final = "--max-batch-tokens 1024 --max-batch-texts 4"
SETTINGS: Final = {
    "before": f"--lone-threads 1 {BY_FOUR}",
    "2 threads, 1 runner": "--intra-op-threads 2 --runners 1",
    "2 threads, 2 runners": "--intra-op-threads 2 --runners 2",
    "now, 256 tokens": "--max-batch-tokens 256 --max-batch-texts 32",
    "now": "",
}
SHORT_WORDS: Final = 9  # 13 tokens or so
SHORT: Final = "short"
MIXED: Final = "mixed"
BY_HAND: Final = "by hand"
CUT: Final = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)


@dataclass(frozen=True, slots=True)
class Shape:
    """One load.

    Attributes:
        lengths: short or mixed.
        in_flight: calls at once.
        texts: of one call.
        calls: how many are sent in a round.
    """

    lengths: str
    in_flight: int
    texts: int
    calls: int

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"{self.lengths}, {self.in_flight} in flight" + (f", {self.texts} texts a call" * (self.texts > 1))


SHAPES: Final = (
    Shape(SHORT, 1, 1, 80),
    Shape(SHORT, 2, 1, 120),
    Shape(SHORT, 4, 1, 160),
    Shape(SHORT, 16, 1, 240),
    Shape(SHORT, 64, 1, 400),
    Shape(SHORT, 4, 32, 16),
    Shape(MIXED, 1, 1, 50),
    Shape(MIXED, 2, 1, 60),
    Shape(MIXED, 4, 1, 80),
    Shape(MIXED, 16, 1, 120),
    Shape(MIXED, 64, 1, 200),
    Shape(MIXED, 4, 32, 8),
)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of one load gave."""

    rate: float
    p50_ms: float
    cpu_ms: float


Caller: TypeAlias = Callable[[Shape, Sequence[str]], Round]


class ByHand:
    """A loop over onnxruntime; lives in a process of its own."""

    session: Any = None
    tokenizer: Any = None
    options: Any = None

    @classmethod
    def load(cls, folder: str) -> None:
        """Load the artifact's graph as onnxruntime does by default."""
        import onnxruntime

        artifact = Artifact.open(Path(folder))
        graph = artifact.path(next(iter(artifact.manifest.precisions.values())).graphs[Variant.EMBED])
        cls.session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        cls.tokenizer = Tokenizer(
            artifact.path("tokenizer.json"), vocab_size=artifact.manifest.model.encoder.vocab_size
        )
        cls.options = EncodeOptions(limit=artifact.manifest.model.max_tokens, truncate=Truncate.END)

    @classmethod
    def run(cls, shape: Shape, texts: Sequence[str]) -> Round:
        """Run one call after the other."""
        took, cpu = [], time.process_time()
        for first in range(0, len(texts), shape.texts):
            started = time.perf_counter()
            encoded = cls.tokenizer.encode(texts[first : first + shape.texts], cls.options)
            batch = collate([text.ids for text in encoded], 0)
            cls.session.run([NORMALIZED], {INPUT_IDS: batch.input_ids, LENGTHS: batch.lengths})
            took.append(time.perf_counter() - started)
        cpu = time.process_time() - cpu
        return Round(len(texts) / sum(took), statistics.median(took) * 1e3, cpu / len(texts) * 1e3)


def call_server(pool: Any, target: str, pid: int, shape: Shape, texts: Sequence[str]) -> Round:
    """Meet a server with one load."""
    requests = [
        pb.EmbedRequest(texts=texts[first : first + shape.texts], text_options=CUT).SerializeToString()
        for first in range(0, len(texts), shape.texts)
    ]
    cpu = cpu_seconds(pid)
    load: Load = pool.apply(call_in_a_loop, (target, "Embed", requests, shape.in_flight))
    cpu = cpu_seconds(pid) - cpu
    return Round(load.rate * shape.texts, statistics.median(load.latencies_s) * 1e3, cpu / len(texts) * 1e3)


def texts_of(shape: Shape) -> list[str]:
    """The texts of one round."""
    count = shape.calls * shape.texts
    texts, _ = mixed_texts(count)
    return texts if shape.lengths == MIXED else [" ".join((text.split() * 3)[:SHORT_WORDS]) for text in texts]


def measure(callers: dict[str, Caller], shapes: Sequence[Shape], rounds: int) -> dict[Shape, dict[str, list[Round]]]:
    """Every load with everybody in every round; the first round does not count."""
    results: dict[Shape, dict[str, list[Round]]] = {shape: defaultdict(list) for shape in shapes}
    for number in range(rounds + 1):
        for shape in shapes:
            texts = texts_of(shape)
            for name in random.sample(list(callers), len(callers)):
                if name == BY_HAND and shape.in_flight > 1:
                    continue
                one = callers[name](shape, texts if number else texts[: 8 * shape.texts])
                if number:
                    results[shape][name].append(one)
    return results


def table(results: dict[Shape, dict[str, list[Round]]]) -> list[str]:
    """Rows in Markdown: medians over rounds, and the best and the worst round."""
    rows = ["| load | by | texts/s (min..max) | p50 ms (min..max) | CPU ms a text |", "|---|---|---|---|---|"]
    for shape, by_name in results.items():
        for name, each in by_name.items():
            rates, p50s = [one.rate for one in each], [one.p50_ms for one in each]
            rows.append(
                f"| {shape.name} | {name} | {statistics.median(rates):.0f} ({min(rates):.0f}..{max(rates):.0f}) "
                f"| {statistics.median(p50s):.1f} ({min(p50s):.1f}..{max(p50s):.1f}) "
                f"| {statistics.median(one.cpu_ms for one in each):.2f} |"
            )
    return rows


def main() -> None:
    """Print a table; --write keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[""], metavar="LOAD", help="loads whose names begin so")
    parser.add_argument("--settings", nargs="+", metavar="NAME=FLAGS", help=f"default: {SETTINGS}")
    parser.add_argument("--write", action="store_true", help=f"keep the tables in bench/results/{RESULT.name}")
    arguments = parser.parse_args()
    settings = dict(one.split("=", 1) for one in arguments.settings) if arguments.settings else SETTINGS
    shapes = [shape for shape in SHAPES if shape.name.startswith(tuple(arguments.only))]
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pool = stack.enter_context(context.Pool(1))
        callers: dict[str, Caller] = {}
        memory = []
        for name, flags in settings.items():
            target, pid = stack.enter_context(server_process(arguments.artifact, *shlex.split(flags)))
            callers[name] = partial(call_server, pool, target, pid)
            memory.append(f"| {name} | `{flags}` | {resident_mib(pid):.0f} |")
        by_hand = stack.enter_context(context.Pool(1, ByHand.load, (str(arguments.artifact),)))
        callers[BY_HAND] = lambda shape, texts: by_hand.apply(ByHand.run, (shape, texts))
        results = measure(callers, shapes, arguments.rounds)
    about = " ".join((__doc__ or "").split("\n\n")[1].split())
    memory = ["| server | flags | MiB of its own when ready |", "|---|---|---|", *memory]
    report = "\n".join(
        ("# The lone caller", "", "```", heading(), f"texts:   {mixed_texts(1)[1]}", "```", "", about, "", *memory, "")
    )
    report += "\n" + "\n".join(table(results)) + "\n"
    print(report)
    if arguments.write:
        RESULT.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
