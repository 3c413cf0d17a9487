"""The fast path on a GPU: every variant, its peers and its ceiling, in one run and one table.

Builds a BERT-base with seeded random weights through our own exporter, checks what it computes against float64, and
measures. Every measurement stands in a try block of its own; the tables are printed last, and written beside a JSON.

Usage: python -m bench.gpu.gpu [--device cuda] [--models bert-base minilm] [--out build/gpu] [--minutes 9] [--quick]
       python -m bench.gpu.gpu --device cpu --models tiny --quick       tries the script where there is no GPU

Needs the extras [gpu] and [export]; torch, transformers and sentence-transformers where they are to be compared with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench.gpu import gpu_engines as engines
from bench.gpu import gpu_models as models
from bench.gpu import gpu_peers as peers
from bench.gpu.gpu_report import Report, timed
from bench.lib.machine import heading

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, TOKEN_VECTORS
from polyseme.runtime.batches.packed import pack
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.onnxruntime.padded_session import Session
from polyseme.runtime.verification.proof import prove
from polyseme.runtime.verification.vectors import cosines

Ids = list[list[int]]
Row = dict[str, Any]


class Bench:
    """One model on one device."""

    def __init__(self, name: str, args: argparse.Namespace, report: Report, ceiling: float) -> None:
        self.name, self.kind, self.quick, self.report, self.ceiling = name, args.device, args.quick, report, ceiling
        begin = time.perf_counter()
        self.work: Path = args.work
        self.source = models.checkpoint(name, args.work)
        self.artifact: Artifact = models.artifact(name, self.source, args.work)
        report.note(f"{name}: checkpoint and artifact in {time.perf_counter() - begin:.1f} s")
        self.device: Device = engines.device(self.kind)
        self.rng = np.random.default_rng(20261123)
        self.vocab = self.artifact.manifest.model.encoder.vocab_size

    def texts(self, lengths: Sequence[int]) -> Ids:
        """Random ids of these lengths."""
        return [[2, *self.rng.integers(5, self.vocab, max(0, n - 2)).tolist(), 3][: max(1, n)] for n in lengths]

    def mix(self, count: int) -> Ids:
        """Lengths as of passages and questions together: log-normal, median 32, up to 512."""
        return self.texts(np.clip(np.exp(self.rng.normal(3.5, 0.9, count)), 4, 512).astype(int).tolist())

    def row(self, table: str, names: Row, texts: Ids, run: Callable[[], object]) -> float:
        """Time a call that runs these texts, and add a row; gives its median."""
        median, least, most = timed(run, seconds=0.2 if self.quick else 0.4)
        tokens = sum(map(len, texts))
        flops = sum(len(ids) * models.flops_per_token(self.name, len(ids)) for ids in texts) / median
        self.report.add(
            f"{table}, {self.name}",
            {
                **names,
                "ms": median * 1e3,
                "least": least * 1e3,
                "most": most * 1e3,
                "texts/s": len(texts) / median,
                "tokens/s": tokens / median,
                "TFLOP/s": flops / 1e12,
                "of ceiling": flops / self.ceiling if self.ceiling else None,
            },
        )
        return median

    def numerics(self) -> None:
        """Against float64 (the probe) and against fp32 on the CPU; the same text alone and in company."""
        report, layers = self.report, self.artifact.manifest.model.encoder.num_hidden_layers
        cpu = Session(self.artifact, Device(execution_provider=CPU, precision=Precision.FP32), intra_op_threads=0)
        states = Session(
            self.artifact, Device(execution_provider=CPU, precision=Precision.FP32), Variant.LAYERS, intra_op_threads=0
        )
        for name, engine in self.both():
            with report.attempt(f"numerics {self.name} {name}"):
                proof = prove(engine, self.artifact)
                texts = self.texts([3, 17, 64, 128, 512, 40, 9])
                plain = PaddedEngine.collate(self.cpu_engine(), texts)
                (want,) = cpu.run(plain, [NORMALIZED])
                (want_states,) = states.run(plain, [TOKEN_VECTORS], every_state(plain, layers))
                batch = engine.collate(texts)
                (got,) = engine.run(Variant.EMBED, batch, [NORMALIZED])
                (got_states,) = engine.run(Variant.LAYERS, batch, [TOKEN_VECTORS], every_state(batch, layers))
                alone = np.concatenate(
                    [engine.run(Variant.EMBED, engine.collate([ids]), [NORMALIZED])[0] for ids in texts]
                )
                per_layer = [cosines(a, b).min() for a, b in zip(got_states[1:], want_states[1:], strict=True)]
                report.add(
                    f"numerics, {self.name}",
                    {
                        "engine": name,
                        "probe pooled": proof and f"{proof.pooled_cosine:.8f}",
                        "probe token": proof and f"{proof.token_cosine:.8f}",
                        "pooled cosine": f"{cosines(got, want).min():.8f}",
                        "token cosine, worst layer": f"{min(per_layer):.8f} ({int(np.argmin(per_layer))})",
                        "alone and in company, max abs": float(np.abs(got - alone).max()),
                        "their cosine": f"{cosines(got, alone).min():.8f}",
                    },
                )

    def cpu_engine(self) -> PaddedEngine:
        """To collate with."""
        return PaddedEngine(self.artifact, Device(execution_provider=CPU, precision=Precision.FP32))

    def both(self) -> list[tuple[str, Any]]:
        """Padded, packed, and packed with buckets, TensorRT where it is installed; what cannot be had is noted."""
        made = []
        makers: dict[str, Callable[[], Any]] = {
            "padded": lambda: engines.padded(self.artifact, self.device),
            "packed": lambda: engines.packed(self.artifact, self.device),
            "packed, buckets": lambda: engines.packed(self.artifact, self.device, buckets=engines.buckets()),
            "tensorrt": lambda: engines.tensorrt(self.artifact, self.device, self.work / "tensorrt"),
        }
        for name, make in makers.items():
            with self.report.attempt(f"load {self.name} {name}"):
                before = peers.free_memory_mib() if self.kind == "cuda" else 0.0
                begin = time.perf_counter()
                made.append((name, make()))
                after = peers.free_memory_mib() if self.kind == "cuda" else 0.0
                self.report.note(
                    f"{self.name} {name}: loaded in {time.perf_counter() - begin:.2f} s, {before - after:.0f} MiB"
                )
        return made

    def grid(self) -> None:
        """Every engine at batch 1..256 and length 16..512; torch beside it."""
        shapes = (
            [(b, n) for n in (16, 32, 128, 512) for b in (1, 8, 32, 256)] if not self.quick else [(1, 16), (8, 128)]
        )
        runs: list[tuple[str, Callable[[Ids], Any]]] = [(name, _embedder(engine)) for name, engine in self.both()]
        for name, compiled in (("torch sdpa", False), ("torch.compile", True)):
            if compiled and self.quick:
                continue
            with self.report.attempt(f"{name} {self.name}"):
                runs.append((name, peers.torch_model(self.source, self.kind, compiled=compiled)))
        for count, length in shapes:
            texts = self.texts([length] * count)
            for name, run in runs:
                with self.report.attempt(f"grid {self.name} {name} {count} x {length}"):
                    names = {"texts": count, "tokens": length, "engine": name}
                    self.row("latency and throughput", names, texts, partial(run, texts))

    def large(self) -> None:
        """Large batches, where the device is what counts: both forms of attention, one lane and two."""
        if self.kind != "cuda":
            return
        config = _config(self.source)
        total = 8192 if self.quick else 32_768
        forms: dict[str, tuple[Callable[[Ids], Any], Callable[[Any], Any]]] = {}
        with self.report.attempt("three products"):
            engine = engines.packed(self.artifact, self.device)
            forms["three products"] = pack, lambda batch: engine.run(Variant.EMBED, batch, [NORMALIZED])
        with self.report.attempt("one product"):
            session = engines.joined(self.artifact, self.device, config)
            forms["one product"] = pack, lambda batch: session.run(batch, [NORMALIZED])
        with self.report.attempt("convert_to_packing_mode"):
            forms["convert_to_packing_mode"] = (
                partial(collate, pad_token_id=0),
                engines.converted(self.artifact, self.device),
            )
        for length in (32, 128, 512):
            texts = self.texts([length] * (total // length))
            for name, (put_together, run) in forms.items():
                with self.report.attempt(f"form {name} {length}"):
                    names = {"tokens": length, "form": name}
                    self.row(f"{total} tokens at once", names, texts, partial(run, put_together(texts)))

    def mixed(self) -> None:
        """A real mix of lengths: as it comes, and sorted within windows; sentence-transformers on the same texts."""
        texts = self.mix(256 if self.quick else 4096)
        tokens = sum(map(len, texts))
        windows = [texts[i : i + 1024] for i in range(0, len(texts), 1024)]
        sorted_texts = [ids for window in windows for ids in sorted(window, key=len)]
        table = f"{len(texts)} texts of 4 to 512 tokens, {tokens} in all"
        seconds: dict[str, float] = {}
        plans: list[tuple[str, str, list[Ids]]] = [
            ("padded, arrival order", "padded", _by_count(texts, 32)),
            ("padded, sorted in windows of 1024", "padded", _by_cells(sorted_texts, 32_768)),
            ("packed, arrival order", "packed", _by_tokens(texts, 32_768)),
        ]
        made = dict(self.both())
        for label, name, batches in plans:
            with self.report.attempt(label):
                names = {"plan": label, "batches": len(batches)}
                seconds[label] = self.row(table, names, texts, partial(_each, _embedder(made[name]), batches))
        with self.report.attempt("sentence-transformers"):
            words = [" ".join(["bada"] * max(1, len(ids) - 2)) for ids in texts]
            encode = peers.sentence_transformers(self.source, self.kind)
            for size in (32, 256):
                label = f"sentence-transformers, batch {size}"
                seconds[label] = self.row(table, {"plan": label}, texts, partial(encode, words, size))
        packed = seconds.get("packed, arrival order")
        for label, value in seconds.items():
            if packed and label != "packed, arrival order":
                self.report.note(f"{self.name}, real mix: packed in arrival order is {value / packed:.2f} x {label}")

    def served(self) -> None:
        """The whole server over loopback, against the engine alone."""
        from bench.gpu.gpu_served import measure

        for row in measure(self.artifact.directory, self.kind, seconds=2.0 if self.quick else 6.0):
            self.report.add(f"served over loopback, {self.name}", row)


def _embedder(engine: Any) -> Callable[[Ids], Any]:
    return lambda texts: engine.run(Variant.EMBED, engine.collate(texts), [NORMALIZED])


def _each(run: Callable[[Ids], Any], batches: list[Ids]) -> None:
    for batch in batches:
        run(batch)


def _by_count(texts: Ids, count: int) -> list[Ids]:
    return [texts[i : i + count] for i in range(0, len(texts), count)]


def _by_tokens(texts: Ids, most: int) -> list[Ids]:
    return _split(texts, lambda batch, ids: sum(map(len, batch)) + len(ids) <= most)


def _by_cells(texts: Ids, most: int) -> list[Ids]:
    return _split(texts, lambda batch, ids: (len(batch) + 1) * max(*map(len, batch), len(ids)) <= most)


def _split(texts: Ids, fits: Callable[[Ids, list[int]], bool]) -> list[Ids]:
    batches: list[Ids] = []
    for ids in texts:
        if batches and fits(batches[-1], ids):
            batches[-1].append(ids)
        else:
            batches.append([ids])
    return batches


def _config(source: Path) -> Any:
    from polyseme.export.encoders.architectures import bert
    from polyseme.export.reading.checkpoint import Checkpoint

    return bert.read_config(Checkpoint(source))


def kernels(report: Report, artifact: Artifact, kind: str) -> None:
    """Which attention kernel really runs, as onnxruntime prints it."""
    program = (
        "import sys; from bench.gpu import gpu_engines as e\n"
        "from polyseme.artifact import *; from polyseme.artifact.graphs import *\n"
        "a = Artifact.open(sys.argv[1]); d = e.device(sys.argv[2])\n"
        "engine = getattr(e, sys.argv[3])(a, d)\n"
        "engine.run(Variant.EMBED, engine.collate([[2, 3]] * 8 + [[2] * 300]), [NORMALIZED])\n"
    )
    environment = {**os.environ, "ORT_ENABLE_ATTENTION_KERNEL_DEBUG_INFO": "1"}
    for name in ("padded", "packed"):
        with report.attempt(f"kernel of {name}"):
            done = subprocess.run(
                [sys.executable, "-c", program, str(artifact.directory), kind, name],
                env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120,
                check=False,
            )  # fmt: skip
            lines = [
                line for line in (done.stdout + done.stderr).splitlines() if "SdpaKernel" in line or "Operator" in line
            ]
            report.note(
                f"attention kernel, {name}: {sorted(set(lines))[:3] or (done.stderr[-300:] or 'nothing printed')}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--models", nargs="+", choices=sorted(models.SIZES), default=["bert-base", "minilm"])
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--work", type=Path, default=Path("build/gpu"))
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    report, end = Report(args.out), time.perf_counter() + 60 * args.minutes
    report.note(heading().replace("\n", "; "))
    ceiling = 0.0
    with report.attempt("device"):
        report.note(peers.describe(args.device))
    with report.attempt("ceiling"):
        ceiling = peers.matmul_ceiling(args.device, 8192 if args.device == "cuda" else 512)
        report.note(f"one fp16 product: {ceiling / 1e12:.3g} TFLOP/s")
    for name in args.models:
        with report.attempt(name):
            bench = Bench(name, args, report, ceiling)
            kernels(report, bench.artifact, args.device)
            for step in (bench.numerics, bench.grid, bench.large, bench.mixed, bench.served):
                if time.perf_counter() > end:
                    report.note(f"out of time before {step.__name__} of {name}")
                    break
                with report.attempt(f"{step.__name__} of {name}"):
                    step()
    text = report.markdown()
    (args.out / "gpu.md").write_text(f"# The fast path on a GPU\n\n```\n{heading()}\n```\n\n{text}\n")
    print("\n" + text)


if __name__ == "__main__":
    main()
