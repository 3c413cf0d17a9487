"""Architecture by route: what is fused, how far from transformers in float64, how long it takes, how fast it runs.

Random checkpoints of MiniLM's size, 6 x 384, made by transformers, and the real MiniLM. Needs polyseme[server,optimum]:
`make test-optimum` makes such an environment.

Usage: .venv-optimum/bin/python -m bench.export.architectures MINILM_CHECKPOINT [--only bert,roberta]
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
import transformers
from bench.lib.machine import heading, versions

from polyseme.artifact import TOKENIZER, Artifact, Pooling, Precision, Variant
from polyseme.artifact.graphs import TOKEN_VECTORS
from polyseme.export import ExportError, ExportOptions, export_model
from polyseme.export.encoders import architectures
from polyseme.export.gates.reference_cases import ReferenceCase, make_reference_cases, make_texts
from polyseme.export.graphs.graph import fused_attention_count
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.reading.tokenization import load_tokenizer, sample_ids
from polyseme.export.routes.optimum import load_model, reference
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session

Route = Literal["native", "optimum"]
SIZES = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}
DISTILBERT = {"vocab_size": 30522, "dim": 384, "n_layers": 6, "n_heads": 12, "hidden_dim": 1536}
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "roberta": {**SIZES, "max_position_embeddings": 514},
    "xlm-roberta": {**SIZES, "max_position_embeddings": 514},
    "distilbert": DISTILBERT,
    "mpnet": {**SIZES, "max_position_embeddings": 514},
    "electra": {**SIZES, "embedding_size": 384},
    "camembert": {**SIZES, "max_position_embeddings": 514},
    "data2vec-text": {**SIZES, "max_position_embeddings": 514},
    "rembert": {**SIZES, "input_embedding_size": 384},
    "albert": {**SIZES, "embedding_size": 384},
    "deberta-v2": SIZES,
    "modernbert": {**SIZES, "pad_token_id": 0, "bos_token_id": 101, "cls_token_id": 101, "eos_token_id": 102,
                   "sep_token_id": 102},
}  # fmt: skip
LENGTHS = (17, 128)
ROUNDS, TEXTS, TOKENS = 12, 8, 64  # of the timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One architecture by one route; `refused` says why there is nothing else."""

    route: Route
    seconds: float
    refused: str = ""
    artifact: Artifact | None = None
    layer_l2: tuple[float, ...] = ()
    layer_abs: tuple[float, ...] = ()


def make_checkpoint(model_type: str, directory: Path, tokenizer: Path) -> Path:
    """Random weights that spread as trained ones do, and a real tokenizer."""
    torch.manual_seed(7)
    model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(model_type, **CONFIGS[model_type]))
    with torch.no_grad():
        for name, values in model.named_parameters():
            norm = "norm" in name.lower()
            values.normal_(1.0 if norm and name.endswith("weight") else 0.0, 0.1 if norm else 0.05)
    model.save_pretrained(directory)
    shutil.copyfile(tokenizer, directory / TOKENIZER)
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    return directory


def has_mapping(source: Path) -> bool:
    try:
        architectures.find(Checkpoint(source))
    except ExportError:
        return False
    return True


def make_reference(source: Path) -> list[ReferenceCase]:
    """What transformers says in float64 of two texts alone and a mixed batch; nothing where export refuses it too."""
    checkpoint = Checkpoint(source)
    tokenizer = load_tokenizer(source / TOKENIZER, vocab_size=SIZES["vocab_size"])
    texts = make_texts(sample_ids(tokenizer), LENGTHS)
    try:
        return list(make_reference_cases(reference(load_model(checkpoint), behind=True), texts, Pooling.MEAN, 0))
    except ExportError:
        return []


def run_route(route: Route, source: Path, target: Path, probes: list[ReferenceCase]) -> Result:
    """Export, and compare every layer."""
    started = time.perf_counter()
    try:
        artifact = export_model(str(source), target, ExportOptions(name="bench", exporter=route, replace=True))
    except ExportError as error:
        return Result(route=route, seconds=time.perf_counter() - started, refused=str(error))
    seconds = time.perf_counter() - started
    session = Session(artifact, Device(execution_provider=CPU, precision=Precision.FP32), Variant.LAYERS)
    layers = artifact.manifest.model.encoder.num_hidden_layers
    worst = np.zeros((2, layers + 1))
    for probe in probes:
        (vectors,) = session.run(probe.batch, [TOKEN_VECTORS], every_state(probe.batch, layers))
        for layer, (got, want) in enumerate(zip(vectors[1:], probe.layers, strict=True)):
            relative = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)
            worst[:, layer] = np.maximum(worst[:, layer], (relative.max(), np.abs(got - want).max()))
    return Result(
        route=route,
        seconds=seconds,
        artifact=artifact,
        layer_l2=tuple(worst[0].tolist()),
        layer_abs=tuple(worst[1].tolist()),
    )


def milliseconds(artifacts: list[Artifact]) -> list[float]:
    """Of one batch on one core in fp32, the least of several rounds, side by side."""
    rng = np.random.default_rng(3)
    ids = rng.integers(1000, 30000, (TEXTS, TOKENS)).tolist()
    batches = [collate(ids, 0, artifact.manifest.model.encoder.padding_idx) for artifact in artifacts]
    device = Device(execution_provider=CPU, precision=Precision.FP32)
    sessions = [Session(artifact, device) for artifact in artifacts]
    times: list[list[float]] = [[] for _ in sessions]
    for _ in range(ROUNDS):
        for session, batch, taken in zip(sessions, batches, times, strict=True):
            started = time.perf_counter()
            session.run(batch, ["normalized"])
            taken.append((time.perf_counter() - started) * 1e3)
    return [min(taken) for taken in times]


def fused(result: Result) -> str:
    """How many attentions are fused, of how many."""
    if result.artifact is None:
        found = re.findall(r"(eager|sdpa): (\d+)", result.refused)
        return ", ".join(f"{attention} {count}" for attention, count in found) or "-"
    layers = result.artifact.manifest.model.encoder.num_hidden_layers
    model = onnx.load(result.artifact.path("embed.fp32.onnx"), load_external_data=False)
    return f"{fused_attention_count(model)} of {layers}"


def rows(name: str, results: list[Result]) -> list[list[str]]:
    """A line for each route."""
    made = [result for result in results if result.artifact is not None]
    times = milliseconds([result.artifact for result in made if result.artifact])
    by_route = {result.route: spent for result, spent in zip(made, times, strict=True)}
    ratio = f"{by_route['optimum'] / by_route['native']:.2f}" if len(by_route) == 2 else "-"
    lines = []
    for result in results:
        if result.artifact is None:
            kind = "refused, unfused" if "unfused" in result.refused else f"refused: {result.refused[:60]}"
            lines.append([name, result.route, fused(result), kind, "-", "-", f"{result.seconds:.1f}", "-", "-"])
            continue
        cosine = result.artifact.manifest.parity["fp16"]["pooled_cosine"]
        numbers = [f"{max(result.layer_l2):.1e}", f"{max(result.layer_abs):.1e}", f"{cosine:.7f}"]
        spent = [f"{result.seconds:.1f}", f"{by_route[result.route]:.1f}", ratio]
        lines.append([name, result.route, fused(result), *numbers, *spent])
    return lines


def print_line(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def print_heading(columns: Sequence[str]) -> None:
    print_line(columns)
    print_line(["---"] * len(columns))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("minilm", type=Path, help="folder of all-MiniLM-L6-v2 with model.safetensors")
    parser.add_argument("--only", default=",".join(CONFIGS), help="architectures, with commas")
    args = parser.parse_args()
    print(f"```\n{heading()}\n{versions('torch', 'transformers', 'optimum', 'optimum-onnx', 'onnx')}\n```\n")
    columns = ("architecture", "route", "fused attention", "fp32 rel. L2", "fp32 max abs", "fp16 cosine", "export, s",
               f"{TEXTS} x {TOKENS} tokens, ms", "optimum / native, time")  # fmt: skip
    print_heading(columns)
    layers = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model_type in ("", *filter(None, args.only.split(","))):
            title = model_type or "bert (all-MiniLM-L6-v2)"
            source = args.minilm
            if model_type:
                source = make_checkpoint(model_type, folder / model_type, args.minilm / TOKENIZER)
            routes: tuple[Route, ...] = ("native", "optimum") if has_mapping(source) else ("optimum",)
            probes = make_reference(source)
            results = [run_route(route, source, folder / f"{route}-artifact", probes) for route in routes]
            for line in rows(title, results):
                print_line(line)
            for result in results:
                each = zip(result.layer_l2, result.layer_abs, strict=True)
                layers += [[title, result.route, *(f"{l2:.1e} / {most:.1e}" for l2, most in each)]] * bool(
                    result.artifact
                )
    print("\nPer layer: fp32 relative L2 / max abs\n")
    print_heading(("architecture", "route", *(str(layer) for layer in range(7))))
    for line in layers:
        print_line(line)


if __name__ == "__main__":
    main()
