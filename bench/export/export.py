"""Seconds that an export takes: a real MiniLM, and a random checkpoint of the size of BERT-base.

Usage: python -m bench.export.export MINILM_CHECKPOINT [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench.lib.machine import heading
from bench.lib.random_checkpoint import random_bert
from rich.console import Console
from rich.table import Table
from safetensors.numpy import save_file

from polyseme.export import ExportOptions, export_model

BERT_BASE = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}


def write_bert_base(directory: Path, tokenizer: Path) -> Path:
    """A checkpoint of 109 million random weights, as wide as trained ones spread (0.02), with a real tokenizer."""
    directory.mkdir()
    config = {"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0, **BERT_BASE}
    (directory / "config.json").write_text(json.dumps(config))
    save_file(random_bert(BERT_BASE, scale=0.02), directory / "model.safetensors")
    shutil.copyfile(tokenizer, directory / "tokenizer.json")
    return directory


def seconds(source: Path, target: Path) -> float:
    """One export, with all of its gates."""
    started = time.perf_counter()
    export_model(str(source), target, ExportOptions(name="bench", replace=True))
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("minilm", type=Path, help="folder of all-MiniLM-L6-v2 with model.safetensors")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    console = Console(width=120)
    console.print(heading(), highlight=False)
    table = Table("checkpoint", "export, s, median", "min..max")
    with tempfile.TemporaryDirectory() as folder:
        bert_base = write_bert_base(Path(folder) / "bert-base", args.minilm / "tokenizer.json")
        for name, source in (("all-MiniLM-L6-v2, 6 x 384", args.minilm), ("random BERT-base, 12 x 768", bert_base)):
            times = [seconds(source, Path(folder) / "artifact") for _ in range(args.rounds)]
            table.add_row(name, f"{statistics.median(times):.1f}", f"{min(times):.1f}..{max(times):.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
