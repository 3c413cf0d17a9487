"""The gates: nothing becomes an artifact that is not fused, and equal to the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import onnx

from polyseme.artifact import Artifact, Precision
from polyseme.export.encoders.reference import Float64Array, HiddenStates
from polyseme.export.errors import ExportError, GateError
from polyseme.export.gates.parity import Judge
from polyseme.export.gates.reference_cases import ReferenceCase, default_lengths, make_reference_cases, make_texts
from polyseme.export.graphs.graph import fused_attention_count
from polyseme.runtime.batches.token_types import TokenTypes
from polyseme.runtime.errors import RuntimeUnavailableError
from polyseme.runtime.verification.reference_head import Dense

Verify = Literal["standard", "full"]


def refuse_unfused(model: onnx.ModelProto, layers: int, name: str) -> None:
    """Raise GateError unless every layer attends in one fused operator."""
    fused = fused_attention_count(model)
    if fused != layers:
        raise GateError(f"{name} has {fused} fused attention operators; {layers} are needed, one per layer")


def refuse_deviant(
    artifact: Artifact,
    reference: HiddenStates,
    samples: Sequence[list[int]],
    verify: Verify,
    tell: Callable[[str], None],
    dense: Sequence[Dense] = (),
    heads: Mapping[str, Callable[[Float64Array], Float64Array]] | None = None,
) -> tuple[dict[str, Any], ReferenceCase]:
    """Run every case through every precision; give the report for the manifest, and the last case, of short texts.

    Args:
        artifact: the artifact on disk, before it has its name.
        reference: the same model in float64.
        samples: token ids of texts.
        verify: `standard` runs a few lengths, and through all graphs but the first two the mixed batch alone: they have
            the same weights, and rounding shows in any text. `full` runs every length through each.
        tell: called with a line about each case.
        dense: the layers after the pooling, in float64.
        heads: those that predict, by name, in float64: vectors [T, H] of a text to logits, [C] or [T, C].

    Raises:
        GateError: a graph is further from the reference than its precision explains.
    """
    spec = artifact.manifest.model
    encoder = spec.encoder
    lengths = range(1, spec.max_tokens + 1) if verify == "full" else default_lengths(spec.max_tokens)
    types = TokenTypes.of(encoder)
    texts = make_texts(samples, lengths, encoder.padding_idx, types)
    judging = judges(artifact)
    cases = make_reference_cases(
        reference,
        texts,
        spec.embedding.pooling,
        encoder.pad_token_id,
        dense,
        padding_idx=encoder.padding_idx,
        types=types,
        heads=heads,
    )
    for number, case in enumerate(cases, start=1):
        tell(f"{_describe(case)} ({number} of {len(texts)})")
        for judge in judging:
            if judge is judging[0] or verify == "full" or case.is_telling:
                judge.see(case)
    report = {
        "reference": "float64 numpy",
        "verify": verify,
        "lengths": [1, spec.max_tokens] if verify == "full" else list(lengths),
        "mixed_batch": len(texts[-1]),
        "fused_attention": encoder.num_hidden_layers,
        **{judge.name: judge.deviation.as_json() for judge in judging},
    }
    return report, case


def judges(artifact: Artifact) -> list[Judge]:
    """Make one judge per precision and form of its graphs, fp32 first.

    Raises:
        ExportError: onnxruntime cannot load a graph.
    """
    entries = artifact.manifest.precisions
    there = [precision for precision in Precision if precision in entries]
    try:
        return [
            *(Judge(artifact, precision) for precision in there),
            *(Judge(artifact, precision, "packed") for precision in there if entries[precision].packed is not None),
            *(Judge(artifact, precision, "standard") for precision in there if entries[precision].standard),
        ]
    except RuntimeUnavailableError as error:
        raise ExportError(str(error)) from error


def _describe(case: ReferenceCase) -> str:
    texts, longest = case.batch.shape
    shortest = int(case.batch.lengths.min())
    if texts > 1:
        return f"{texts} texts of {shortest} to {longest} tokens"
    return "1 token" if longest == 1 else f"{longest} tokens"
