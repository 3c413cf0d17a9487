"""Predictions of heads: the server against its own engine, one call against many, and what a head costs an artifact.

Three tables, each measured in turn in every round:
  Classify    single texts, 64 in flight, against the engine called directly: ids ready, no padding in batches of one;
              by rate, and by CPU of who computes, which a busy machine sways less
  Rerank      a query and 100 passages in one call, against a call for each passage; and what padding they took
  artifact    bytes of files, seconds until ready and memory of a server, without a head and with one and two

The heads are random, over the checkpoint's own encoder: what they cost does not depend on their values.

Usage: python -m bench.serving.predictions CHECKPOINT ARTIFACTS [--texts 400] [--rounds 5]
CHECKPOINT is a BERT of sentence-transformers, such as MiniLM. The folder ARTIFACTS keeps the three that are made of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench.lib.closed_loop import SERVICE as EMBEDDING
from bench.lib.closed_loop import closed_loop
from bench.lib.machine import heading
from bench.lib.server import cpu_seconds, free_port, resident_mib, server_process
from bench.lib.texts import mixed_texts, public_domain_words
from bench.serving.serving import IN_FLIGHT, cut, drive
from rich.console import Console
from rich.table import Table
from safetensors.numpy import load_file, save_file

from polyseme.artifact import Artifact
from polyseme.export import ExportOptions, export_model
from polyseme.runtime.engines.onnxruntime.devices import choose_device
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.heads import LoadedHead, load_head
from polyseme.runtime.tasks import LayerMix, LayerVectors
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate
from polyseme.v1 import prediction_service_pb2 as pb
from polyseme.v1.common_pb2 import TRUNCATE_END, TextOptions
from polyseme.v1.embedding_service_pb2 import EmbedRequest

PREDICTION = "/polyseme.v1.PredictionService/"
LABELS = {"moods": ("negative", "neutral", "positive"), "ranker": ("relevance",)}
HEADS = {"no-head": (), "one-head": ("moods",), "two-heads": ("moods", "ranker")}  # of each artifact
PASSAGES = 100
QUERY = "who went over the hill before the war was over?"


def make_artifacts(checkpoint: Path, folder: Path) -> dict[str, Path]:
    """Export the checkpoint without heads, and with some; what is there is taken as it is."""
    artifacts = {name: folder / name for name in HEADS}
    with tempfile.TemporaryDirectory() as scratch:
        heads = {name: str(_with_head(checkpoint, Path(scratch) / name, name)) for name in LABELS}
        for name, artifact in artifacts.items():
            if not artifact.exists():
                more = {head: heads[head] for head in HEADS[name]}
                export_model(str(checkpoint), artifact, ExportOptions(name=name, more_heads=more))
    return artifacts


def _with_head(checkpoint: Path, target: Path, name: str) -> Path:
    """Copy a checkpoint as a BertForSequenceClassification with a random classifier; the pooler is its own."""
    shutil.copytree(checkpoint, target)
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    config |= {"architectures": ["BertForSequenceClassification"], "id2label": dict(enumerate(LABELS[name]))}
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    weights = {f"bert.{key}": value for key, value in load_file(target / "model.safetensors").items()}
    shape = len(LABELS[name]), config["hidden_size"]
    weights["classifier.weight"] = np.random.default_rng(7).normal(0, 0.02, shape).astype(np.float32)
    weights["classifier.bias"] = np.zeros(shape[0], np.float32)
    save_file(weights, target / "model.safetensors")
    return target


@dataclass(frozen=True, slots=True)
class Row:
    """One way to run all texts.

    Attributes:
        run: gives texts a second.
        cpu: seconds of CPU that whoever computes has taken until now.
    """

    name: str
    run: Callable[[], float]
    cpu: Callable[[], float]


class Classifier:
    """The engine and a head, called directly."""

    def __init__(self, artifact: Artifact, name: str) -> None:
        encoder = artifact.manifest.model.encoder
        self._engine = PaddedEngine(artifact, choose_device("auto", artifact))
        self._head: LoadedHead = load_head(artifact, name)
        last = (0.0,) * (encoder.num_hidden_layers + 1) + (1.0,)
        self._task = LayerVectors(LayerMix((last,)), encoder.hidden_size, np.zeros(1, np.int32))

    def classify(self, ids: Sequence[Sequence[int]]) -> None:
        """Run one batch: the vector of each text's first token, then the head."""
        batch = self._engine.collate([np.array(text, np.int32) for text in ids])
        tasks = LayerVectors.batch([self._task] * len(ids))
        outputs = self._engine.run(tasks.graph, batch, tasks.outputs, tasks.selection(batch.starts))
        shares = tasks.split(dict(zip(tasks.outputs, outputs, strict=True)))
        vectors = [share[0] for share in shares if share is not None]
        self._head.scores(self._head.logits(np.concatenate(vectors)))


def bench_classify(path: Path, texts: Sequence[str], rounds: int, console: Console) -> None:
    """Single texts, served and by the engine."""
    artifact = Artifact.open(path)
    spec = artifact.manifest.model
    tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=spec.encoder.vocab_size)
    options = EncodeOptions(limit=spec.max_tokens, truncate=Truncate.END)
    ids = [list(text.ids) for text in tokenizer.encode(list(texts), options)]
    own = Classifier(artifact, "moods")
    cut_texts = TextOptions(truncate=TRUNCATE_END)
    embed = [EmbedRequest(texts=[text], text_options=cut_texts).SerializeToString() for text in texts]
    classify = [
        pb.ClassifyRequest(texts=[text], head="moods", long_texts=pb.LONG_TEXTS_LONGEST_FIRST).SerializeToString()
        for text in texts
    ]
    console.print(
        f"Classify, {IN_FLIGHT} calls of one text in flight; tokens: mean {sum(map(len, ids)) / len(ids):.0f}"
    )
    with server_process(path) as (target, pid):

        def send(method: str, requests: list[bytes], service: str) -> float:
            return closed_loop(target, method, requests, IN_FLIGHT, service=service, warm_up_calls=1).rate

        def own_cpu() -> float:
            return cpu_seconds(pid)

        rows = (
            Row("engine, one text a run", lambda: drive(own.classify, cut(ids, 1)), time.process_time),
            Row("engine, sorted batches", lambda: drive(own.classify, cut(ids, 4, IN_FLIGHT)), time.process_time),
            Row("served, Embed", lambda: send("Embed", embed, EMBEDDING), own_cpu),
            Row("served", lambda: send("Classify", classify, PREDICTION), own_cpu),
        )
        rates: dict[str, list[float]] = {row.name: [] for row in rows}
        cpu: dict[str, list[float]] = {row.name: [] for row in rows}
        for number in range(rounds + 1):
            for row in rows:
                before = row.cpu()
                rate = row.run()
                if number:  # the first round warms up
                    rates[row.name].append(rate)
                    cpu[row.name].append((row.cpu() - before) / len(texts) * 1e3)
    table = Table("", "texts/s", "served / this", "CPU ms a text", "CPU / that of served")
    for name in rates:
        shares = [served / this for served, this in zip(rates["served"], rates[name], strict=True)]
        costs = [this / served for served, this in zip(cpu["served"], cpu[name], strict=True)]
        table.add_row(name, _median(rates[name], 1), _median(shares, 2), _median(cpu[name], 2), _median(costs, 2))
    console.print(table)


def bench_rerank(path: Path, rounds: int, console: Console) -> None:
    """100 passages: in one call, in 100 calls at once, and in 100 calls one after the other."""
    passages = _passages()
    apart = [_rerank([passage]) for passage in passages]
    ways = {
        "one call": ([_rerank(passages)], 1),
        f"100 calls, {IN_FLIGHT} in flight": (apart, IN_FLIGHT),
        "100 calls, one after the other": (apart, 1),
    }
    table = Table(f"Rerank of {PASSAGES} passages", "s", "this / one call", "CPU s of the server", "padding")
    seen: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    padding: dict[str, list[float]] = {name: [] for name in ways}
    port = free_port()
    with server_process(path, "--metrics-port", str(port)) as (target, pid):
        for number in range(rounds + 1):
            for name, (requests, in_flight) in ways.items():
                before, cpu_before = _tokens(port), cpu_seconds(pid)
                load = closed_loop(target, "Rerank", requests, in_flight, service=PREDICTION, warm_up_calls=1)
                if number:  # the first round warms up
                    seen[name].append(len(requests) / load.rate)
                    cpu[name].append((cpu_seconds(pid) - cpu_before) * len(requests) / (len(requests) + 1))
                    tokens, padded = (after - then for after, then in zip(_tokens(port), before, strict=True))
                    padding[name].append(padded / tokens - 1)
    for name, seconds in seen.items():
        ratios = [this / one for this, one in zip(seconds, seen["one call"], strict=True)]
        share = f"{statistics.median(padding[name]):.1%}"
        table.add_row(name, _median(seconds, 2), _median(ratios, 2), _median(cpu[name], 2), share)
    console.print(table)


def _passages() -> list[str]:
    """Passages of 20 to 120 words."""
    words, draw = public_domain_words(), np.random.default_rng(20261128)
    lengths = draw.integers(20, 121, PASSAGES)
    starts = draw.integers(0, len(words) - 121, PASSAGES)
    return [" ".join(words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]


def _rerank(passages: Sequence[str]) -> bytes:
    request = pb.RerankRequest(
        query=QUERY, texts=passages, head="ranker", long_texts=pb.LONG_TEXTS_ONLY_SECOND, top_k=min(10, len(passages))
    )
    return request.SerializeToString()


def _tokens(port: int) -> tuple[float, float]:
    """Tokens that a server has run, without padding and with it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
        lines = reply.read().decode().splitlines()

    def total(name: str) -> float:
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    return total("polyseme_tokens_total"), total("polyseme_padded_tokens_total")


def bench_artifacts(artifacts: dict[str, Path], rounds: int, console: Console) -> None:
    """Files, start and memory of each artifact."""
    seconds: dict[str, list[float]] = {name: [] for name in artifacts}
    memory: dict[str, list[float]] = {name: [] for name in artifacts}
    for number in range(rounds + 1):
        for name, path in artifacts.items():
            started = time.perf_counter()
            with server_process(path) as (_, pid):
                if number:  # the first round reads the files
                    seconds[name].append(time.perf_counter() - started)
                    memory[name].append(resident_mib(pid))
    table = Table("artifact", "MB of files", "s to ready", "MiB of its own when ready")
    for name, path in artifacts.items():
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
        table.add_row(name, f"{size:.2f}", _median(seconds[name], 2), _median(memory[name], 1))
    console.print(table)


def _median(values: Sequence[float], digits: int) -> str:
    """Write the median, the least and the most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("artifacts", type=Path)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    console = Console(width=120)
    artifacts = make_artifacts(args.checkpoint, args.artifacts)
    texts, origin = mixed_texts(args.texts)
    console.print(f"{heading()}\ntexts:   {len(texts)} from {origin}; passages from public-domain.txt\n")
    steps: tuple[Callable[[], None], ...] = (
        lambda: bench_classify(artifacts["two-heads"], texts, args.rounds, console),
        lambda: bench_rerank(artifacts["two-heads"], args.rounds, console),
        lambda: bench_artifacts(artifacts, args.rounds, console),
    )
    for step in steps:
        step()


if __name__ == "__main__":
    main()
