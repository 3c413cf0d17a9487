"""Vectors against the float64 probe, and against fp32 on the CPU; the same text alone and in company."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from bench.gpu.lib import engines
from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, TOKEN_VECTORS
from polyseme.runtime.batches.padded import Ids
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import CPU, Device
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.verification.proof import prove
from polyseme.runtime.verification.vectors import cosines

# Those of buckets alone, and one that is run eagerly by every engine.
_LENGTHS = ([9], [3, 17, 64, 40], [128, 300, 512], [400, 300, 200, 128, 90, 60, 30, 10, 3])


def run(setting: Setting) -> None:
    """The padded engine last: cuDNN makes a plan for each shape."""
    references = {}
    for name, artifact in setting.each():
        with setting.record.attempt(f"reference of {name}"):
            batches = [random_ids(artifact, lengths) for lengths in _LENGTHS]
            references[name] = artifact, Reference(artifact, batches)
            judge(setting, name, *references[name], forms=("packed", "replayed"))
    for name, known in references.items():
        judge(setting, name, *known, forms=("padded",))


def judge(setting: Setting, name: str, artifact: Artifact, reference: Reference, *, forms: Sequence[str]) -> None:
    """A row for each engine."""
    for form in forms:
        with setting.record.attempt(f"{name} {form}"):
            compare(setting, name, artifact, form, reference)


class Reference:
    """fp32 on the CPU."""

    def __init__(self, artifact: Artifact, batches: Sequence[Sequence[Ids]]) -> None:
        on_cpu = Device(execution_provider=CPU, precision=Precision.FP32)
        engine = PaddedEngine(artifact, on_cpu, intra_op_threads=0)
        self.batches = batches
        found = [outputs(engine, artifact, texts) for texts in batches]
        self.vectors, self.states = [vectors for vectors, _ in found], [states for _, states in found]
        engine.close()


def outputs(engine: Any, artifact: Artifact, texts: Any) -> tuple[Any, Any]:
    """Vectors of texts, and all states of all tokens but the static one."""
    batch = engine.collate(texts)
    (vectors,) = engine.run(Variant.EMBED, batch, [NORMALIZED])
    chosen = every_state(batch, artifact.manifest.model.encoder.num_hidden_layers)
    (states,) = engine.run(Variant.LAYERS, batch, [TOKEN_VECTORS], chosen)
    return vectors, states[1:]


def compare(setting: Setting, name: str, artifact: Artifact, form: str, reference: Reference) -> None:
    engine: Any = engines.engine(form, artifact, setting.device)
    got = [outputs(engine, artifact, texts) for texts in reference.batches]
    pooled = [cosines(a, b).min() for (a, _), b in zip(got, reference.vectors, strict=True)]
    layers = np.min(
        [
            [cosines(x, y).min() for x, y in zip(a, b, strict=True)]
            for (_, a), b in zip(got, reference.states, strict=True)
        ],
        axis=0,
    )
    texts = reference.batches[-1]
    alone = np.concatenate([engine.run(Variant.EMBED, engine.collate([ids]), [NORMALIZED])[0] for ids in texts])
    setting.record.add(
        "numerics: least cosines (limits 0.999995 of texts, 0.9999 of tokens)",
        model=name,
        engine=form,
        texts=min(pooled),
        tokens=layers.min(),
        layer=int(layers.argmin()),
        alone_and_in_company=cosines(alone, got[-1][0]).min(),
    )
    with setting.record.attempt(f"probe, {name} {form}"):
        proof = prove(engine, artifact)
        if proof is not None:
            setting.record.add(
                "probe: least cosines to float64", model=name, engine=form, texts=proof.pooled_cosine,
                tokens=proof.token_cosine, layer=proof.layer,
            )  # fmt: skip
    engine.close()
