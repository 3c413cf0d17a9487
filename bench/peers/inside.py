"""One library in its own environment: load the model, embed, and print figures as JSON.

It runs on the Python of the library, where nothing of polyseme is: standard library, numpy and that library. The
library is called from one thread, one call after the other; it has the threads that it takes by itself.

Usage: ENVIRONMENT/bin/python bench/peers/inside.py LIBRARY MODEL JOB VECTORS
  MODEL    a sentence-transformers folder, with model.onnx in it
  JOB      JSON: {"probe": [text, ...], "seconds": S, "warm_up": S, "cases": {name: [[text, ...], ...]}}
  VECTORS  where the vectors of the probe are put, .npy
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

Embed = Callable[[Sequence[str]], Any]
MAX_TOKENS = 256  # of MiniLM's sentence_bert_config.json
BATCH = 32


def sentence_transformers(model: Path, backend: str) -> Embed:
    """sentence-transformers as it is used: `encode`, which sorts by length and cuts batches of 32."""
    from sentence_transformers import SentenceTransformer

    files = {
        "torch": {},
        "onnx": {"file_name": "model.onnx"},
        "openvino": {"export": True, "ov_config": {"INFERENCE_PRECISION_HINT": "f32"}},
    }
    loaded = SentenceTransformer(
        str(model), backend=backend, device="cpu", local_files_only=True, model_kwargs=files[backend]
    )
    return lambda texts: loaded.encode(list(texts), batch_size=BATCH, normalize_embeddings=True)


def fastembed(model: Path) -> Embed:
    """Fastembed as it is used: `embed`, in batches of 32, in the order of arrival."""
    from fastembed import TextEmbedding

    name = "sentence-transformers/all-MiniLM-L6-v2"
    loaded = TextEmbedding(name, specific_model_path=str(model), local_files_only=True)
    return lambda texts: np.stack(list(loaded.embed(list(texts), batch_size=BATCH)))


def onnxruntime(model: Path) -> Embed:
    """Onnxruntime by hand: a session with its defaults, tokenizers, pooling in numpy."""
    import onnxruntime as runtime

    session = runtime.InferenceSession(str(model / "model.onnx"), providers=["CPUExecutionProvider"])
    return by_hand(model, lambda inputs: session.run(["last_hidden_state"], inputs)[0])


def openvino(model: Path) -> Embed:
    """OpenVINO by hand: the same graph, compiled for latency in float32."""
    import openvino as runtime

    core = runtime.Core()
    compiled = core.compile_model(
        core.read_model(model / "model.onnx"),
        "CPU",
        {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"},
    )
    return by_hand(model, lambda inputs: compiled(inputs)["last_hidden_state"])


def by_hand(model: Path, run: Callable[[dict[str, Any]], Any]) -> Embed:
    """Sort by length, cut batches of 32, pad each to its longest text, run, average, normalize."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()

    def embed(texts: Sequence[str]) -> Any:
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
        order = sorted(range(len(ids)), key=lambda position: len(ids[position]))
        vectors: list[Any] = [None] * len(ids)
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            padded = np.zeros((len(rows), len(ids[rows[-1]])), np.int64)
            mask = np.zeros_like(padded)
            for row, position in enumerate(rows):
                padded[row, : len(ids[position])] = ids[position]
                mask[row, : len(ids[position])] = 1
            states = run({"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros_like(padded)})
            summed = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None]
            for row, position in enumerate(rows):
                vectors[position] = summed[row] / np.linalg.norm(summed[row])
        return np.stack(vectors)

    return embed


LIBRARIES: dict[str, tuple[Callable[[Path], Embed], tuple[str, ...]]] = {
    "sentence-transformers-torch": (
        lambda model: sentence_transformers(model, "torch"),
        ("sentence-transformers", "transformers", "torch"),
    ),
    "sentence-transformers-onnx": (
        lambda model: sentence_transformers(model, "onnx"),
        ("sentence-transformers", "optimum-onnx", "onnxruntime"),
    ),
    "sentence-transformers-openvino": (
        lambda model: sentence_transformers(model, "openvino"),
        ("sentence-transformers", "optimum-intel", "openvino"),
    ),
    "fastembed": (fastembed, ("fastembed", "onnxruntime")),
    "onnxruntime": (onnxruntime, ("onnxruntime", "tokenizers")),
    "openvino": (openvino, ("openvino", "tokenizers")),
}


def measure(embed: Embed, calls: Sequence[Sequence[str]], warm_up: float, seconds: float) -> dict[str, Any]:
    """One call after the other for so long, after calls that do not count."""
    latencies: list[float] = []
    texts, left = 0, cycle(calls)
    end = time.perf_counter() + warm_up
    while time.perf_counter() < end:
        embed(next(left))
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() < began + seconds:
        call, started = next(left), time.perf_counter()
        embed(call)
        latencies.append(time.perf_counter() - started)
        texts += len(call)
    taken = time.perf_counter() - began
    return {
        "texts_per_s": texts / taken,
        "latencies": latencies,
        "cpu_ms": (time.process_time() - cpu) * 1e3 / texts,
    }


def resident_mib() -> float:
    """Memory of this process, files that are mapped included, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    """Print one line of JSON; what libraries print goes elsewhere."""
    name, model, job_file, vectors = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    load, packages = LIBRARIES[name]
    job = json.loads(job_file.read_text(encoding="utf-8"))
    embed = load(model)
    np.save(vectors, np.asarray(embed(job["probe"]), np.float32))
    cases = {case: measure(embed, calls, job["warm_up"], job["seconds"]) for case, calls in job["cases"].items()}
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in packages)
    json.dump({"cases": cases, "rss_mib": resident_mib(), "versions": versions}, out)


if __name__ == "__main__":
    main()
