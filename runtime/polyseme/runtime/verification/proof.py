"""Proves that a device computes the same as the float64 reference did when the model was exported.

Export leaves a few texts in the artifact, with every state of every token. A server runs them before it says that it is
ready: what export proved on one machine, with one version of onnxruntime, holds on this one too, or nobody is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, TOKEN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.base import Engine
from polyseme.runtime.errors import RuntimeUnavailableError, first_line
from polyseme.runtime.verification.vectors import cosines

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The least cosines to the vectors of the reference.

    Attributes:
        pooled_cosine: of a text's vector.
        token_cosine: of a token's vector, in any layer.
        layer: the layer of that token's vector.
    """

    pooled_cosine: float
    token_cosine: float
    layer: int


_LEAST: Final = {
    Precision.FP32: Proof(pooled_cosine=0.999999, token_cosine=0.99999, layer=0),
    Precision.FP16: Proof(pooled_cosine=0.999995, token_cosine=0.9999, layer=0),
}


def prove(engine: Engine, artifact: Artifact) -> Proof | None:
    """Run the artifact's probe; None where it has none.

    Raises:
        RuntimeUnavailableError: the probe cannot be run, or is further from the reference than the precision explains.
    """
    probe = artifact.probe()
    if probe is None:
        return None
    device = engine.devices[0]
    batch = engine.collate(probe.texts)
    layers = artifact.manifest.model.encoder.num_hidden_layers
    try:
        (pooled,) = engine.run(Variant.EMBED, batch, [NORMALIZED])
        (states,) = engine.run(Variant.LAYERS, batch, [TOKEN_VECTORS], every_state(batch, layers))
    except Exception as error:
        raise RuntimeUnavailableError(
            f"{device.execution_provider} cannot run {artifact.manifest.name} in {device.precision.value}: "
            f"{first_line(error)}"
        ) from error
    # The first state is the row of the word table.
    least = [float(cosines(got, want).min()) for got, want in zip(states[1:], probe.states, strict=True)]
    layer = int(np.argmin(least))
    proof = Proof(pooled_cosine=float(cosines(pooled, probe.pooled).min()), token_cosine=least[layer], layer=layer)
    _refuse_beyond(proof, _LEAST[device.precision], device.execution_provider, device.precision)
    return proof


def _refuse_beyond(proof: Proof, least: Proof, provider: str, precision: Precision) -> None:
    where = f"{provider} in {precision.value} is not equal to the reference"
    if not proof.token_cosine >= least.token_cosine:  # also where it is NaN
        raise RuntimeUnavailableError(
            f"{where}: layer {proof.layer}, cosine {proof.token_cosine:.7f} of a token; limit {least.token_cosine}"
        )
    if not proof.pooled_cosine >= least.pooled_cosine:
        raise RuntimeUnavailableError(
            f"{where}: cosine {proof.pooled_cosine:.7f} of a text; limit {least.pooled_cosine}"
        )
