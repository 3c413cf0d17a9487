"""What the engines are compared with, on the same device in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyseme.runtime.batches.padded import Ids


def matmul_ceiling(kind: str, size: int) -> float:
    """FLOP/s of one fp16 product of random matrices, which is as fast as anything can be."""
    import torch
    from bench.gpu.lib.record import timed

    a, b = (torch.randn(size, size, device=kind).to(_dtype(kind)) for _ in range(2))

    def run() -> None:
        a @ b
        _wait(kind)

    _, fastest, _ = timed(run)
    return 2.0 * size**3 / fastest


def torch_model(source: Path, kind: str, *, compiled: bool = False) -> Callable[[Sequence[Ids]], Any]:
    """BertModel with sdpa attention in fp16 and mean pooling: ids to vectors on the host."""
    import torch
    from transformers import AutoModel

    model: Any = AutoModel.from_pretrained(source, attn_implementation="sdpa", add_pooling_layer=False)
    model = model.to(kind, _dtype(kind)).eval()
    if compiled:
        model = torch.compile(model, dynamic=True)

    def run(sequences: Sequence[Ids]) -> Any:
        longest = max(map(len, sequences))
        ids = torch.zeros(len(sequences), longest, dtype=torch.long)
        mask = torch.zeros(len(sequences), longest, dtype=torch.long)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(np.asarray(sequence))
            mask[row, : len(sequence)] = 1
        with torch.inference_mode():
            ids, mask = ids.to(kind), mask.to(kind)
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            weights = mask.unsqueeze(-1).float()
            pooled = (hidden * weights).sum(1) / weights.sum(1)
            return torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()

    return run


def sentence_transformers(source: Path, kind: str, limit: int) -> Callable[[Sequence[str], int], Any]:
    """encode() in fp16: texts, cut to a limit, to vectors on the host; it tokenizes, and sorts by length."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers import models as modules

    transformer = modules.Transformer(str(source), max_seq_length=limit)
    pooling = modules.Pooling(json.loads((source / "config.json").read_text())["hidden_size"], "mean")
    model = SentenceTransformer(modules=[transformer, pooling, modules.Normalize()], device=kind)
    if kind == "cuda":
        model.half()

    def run(texts: Sequence[str], batch_size: int) -> Any:
        with torch.inference_mode():
            return model.encode(list(texts), batch_size=batch_size, convert_to_numpy=True, show_progress_bar=False)

    return run


def device_kind() -> str:
    """The device that torch has: `cuda`, or `cpu` where it cannot use a GPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def describe(kind: str) -> str:
    """The device, and what runs on it."""
    import torch
    import transformers

    name = torch.cuda.get_device_name() if kind == "cuda" else "CPU"
    return f"{name}; torch {torch.__version__}, transformers {transformers.__version__}, numpy {np.__version__}"


def _dtype(kind: str) -> Any:
    import torch

    return torch.float16 if kind == "cuda" else torch.float32


def _wait(kind: str) -> None:
    import torch

    if kind == "cuda":
        torch.cuda.synchronize()
