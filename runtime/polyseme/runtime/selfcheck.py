"""Whether an artifact computes what it should, without its source: graphs load, run, and agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Artifact, Pooling, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, STATIC_EMBEDDINGS, hidden_state
from polyseme.runtime.batch import Batch, collate
from polyseme.runtime.errors import SelfCheckError
from polyseme.runtime.session import CPU, Device, Session, load_weights
from polyseme.runtime.tokenizer import EncodeOptions, Tokenizer, Truncate

TEXTS = (
    "I deposited the check at the bank.",
    "We sat on the bank of the river.",
    "",
    "Stop!",
    "Call me Ishmael. Some years ago, never mind how long precisely, I thought I would sail about a little. " * 20,
)
_TOLERANCE = {Precision.FP32: 1e-5, Precision.FP16: 2e-3}  # of a unit vector's elements: sums run in another order
_LEAST_COSINE = 0.99999  # fp16 against fp32, pooled; rounding alone leaves 0.999999


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was checked, and what it gave."""

    check: str
    result: str


def self_check(artifact: Artifact, *, full: bool = False) -> list[Finding]:
    """Check every graph of an artifact whose hashes are right.

    Args:
        artifact: as `Artifact.open` gave it.
        full: run every length up to the model's limit, not only a few texts.

    Raises:
        SelfCheckError: a graph gives numbers that are not finite, or disagrees with another.
        RuntimeUnavailableError: a graph cannot be loaded.
        TokenizerError: the tokenizer cannot be used.
    """
    spec = artifact.manifest.model
    tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=spec.vocab_size)
    options = EncodeOptions(limit=spec.max_tokens, truncate=Truncate.END)
    texts = [list(text.ids) for text in tokenizer.encode(TEXTS, options)]
    batches = [collate(texts, spec.pad_token_id)]
    if full:
        longest = max(texts, key=len)
        batches += [
            collate([[longest[i % len(longest)] for i in range(length)]], spec.pad_token_id)
            for length in range(1, spec.max_tokens + 1)
        ]
    findings, pooled = [], {}
    for precision in artifact.manifest.precisions:
        pooled[precision], worst = _check_precision(artifact, precision, batches)
        result = f"finite; both graphs agree to {worst:.1e}"
        findings.append(Finding(check=f"{precision.value}, {len(batches)} batches", result=result))
    if len(pooled) == 2:
        cosine = _agreement(pooled[Precision.FP32], pooled[Precision.FP16])
        findings.append(Finding(check="fp16 against fp32", result=f"least cosine {cosine:.7f}"))
    return findings


def _check_precision(
    artifact: Artifact, precision: Precision, batches: Sequence[Batch]
) -> tuple[npt.NDArray[np.float32], float]:
    """Normalized vectors of all batches [N, D], and the worst difference between the two graphs."""
    device, weights = Device(execution_provider=CPU, precision=precision), load_weights(artifact, precision)
    embed, layers = (
        Session(artifact, device, variant, weights=weights, intra_op_threads=0)
        for variant in (Variant.EMBED, Variant.LAYERS)
    )
    spec, worst, rows = artifact.manifest.model, 0.0, []
    states = [STATIC_EMBEDDINGS, *(hidden_state(layer) for layer in range(spec.num_hidden_layers + 1))]
    for batch in batches:
        pooled, normalized = embed.run(batch, [POOLED, NORMALIZED])
        outputs = layers.run(batch, states)
        for name, array in zip((POOLED, NORMALIZED, *states), (pooled, normalized, *outputs), strict=True):
            if not np.isfinite(array).all():
                raise SelfCheckError(f"{precision.value}: {name} has numbers that are not finite")
        expected = _unit(_POOL[spec.pooling](outputs[-1].astype(np.float32), batch))
        worst = max(worst, float(np.abs(expected - normalized).max()))
        rows.append(normalized)
    if worst > _TOLERANCE[precision]:
        raise SelfCheckError(
            f"{precision.value}: embed and layers graphs differ by {worst:.1e}; limit {_TOLERANCE[precision]}"
        )
    return np.concatenate(rows), worst


def _agreement(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    cosine = float(np.einsum("nd,nd->n", a, b).min())
    if not cosine >= _LEAST_COSINE:
        raise SelfCheckError(f"fp16 and fp32 vectors have cosine {cosine:.7f}; limit {_LEAST_COSINE}")
    return cosine


def _mean(last_hidden_state: npt.NDArray[Any], batch: Batch) -> npt.NDArray[Any]:
    return np.stack([row[:length].mean(axis=0) for row, length in zip(last_hidden_state, batch.lengths, strict=True)])


def _cls(last_hidden_state: npt.NDArray[Any], _batch: Batch) -> npt.NDArray[Any]:
    first: npt.NDArray[Any] = last_hidden_state[:, 0]
    return first


def _unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    unit: npt.NDArray[Any] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


_POOL: dict[Pooling, Callable[[npt.NDArray[Any], Batch], npt.NDArray[Any]]] = {Pooling.MEAN: _mean, Pooling.CLS: _cls}
