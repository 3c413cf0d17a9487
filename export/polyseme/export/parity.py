"""The gates: what onnxruntime computes from an exported graph against the float64 reference, layer by layer.

Texts are real sentences, cut or joined to exact lengths, alone and in one mixed batch padded on the right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Artifact, Pooling, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, hidden_state
from polyseme.export.errors import GateError
from polyseme.export.reference import Float64Array, HiddenStates
from polyseme.runtime.batch import Batch, collate
from polyseme.runtime.session import CPU, Device, Session, load_weights

_DISTANCES = ("token_l2", "token_abs", "last_four_abs", "pooled_abs")
_COSINES = ("token_cosine", "pooled_cosine")
STANDARD_LENGTHS = (1, 2, 3, 8, 17, 64, 128, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a graph may be from the reference.

    Attributes:
        token_l2: largest relative L2 distance of a token's vector, at any layer.
        token_abs: largest difference of any element of a token's vector, at any layer.
        last_four_abs: the same for the sum of the last four layers.
        pooled_abs: largest difference of any element of a normalized text vector.
        token_cosine: smallest cosine of a token's vector, at any layer.
        pooled_cosine: smallest cosine of a text's vector.
    """

    token_l2: float
    token_abs: float
    last_four_abs: float
    pooled_abs: float
    token_cosine: float
    pooled_cosine: float


# fp32: what PyTorch's own float32 reaches (1,000 texts, all layers). fp16 here runs on the CPU provider through Casts:
# this checks structure and the rounding of weights; fp16 arithmetic is checked on a GPU.
TOLERANCES = {
    Precision.FP32: Tolerance(
        token_l2=1e-5, token_abs=3e-5, last_four_abs=5e-5, pooled_abs=1e-6, token_cosine=0.99999, pooled_cosine=0.99999
    ),
    Precision.FP16: Tolerance(
        token_l2=2e-2,
        token_abs=np.inf,
        last_four_abs=np.inf,
        pooled_abs=np.inf,
        token_cosine=0.9999,
        pooled_cosine=0.999995,
    ),
}


@dataclass(slots=True)
class Deviation:
    """The worst that was seen of a precision; see Tolerance for the fields."""

    token_l2: float = 0.0
    token_abs: float = 0.0
    last_four_abs: float = 0.0
    pooled_abs: float = 0.0
    token_cosine: float = 1.0
    pooled_cosine: float = 1.0
    layer_l2: dict[int, float] = field(default_factory=dict)

    def see_layer(self, layer: int, got: Float64Array, want: Float64Array) -> None:
        """Token vectors [T, H] of one layer."""
        l2 = float((np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)).max())
        self.layer_l2[layer] = max(self.layer_l2.get(layer, 0.0), l2)
        self.token_l2 = max(self.token_l2, l2)
        self.token_abs = max(self.token_abs, float(np.abs(got - want).max()))
        self.token_cosine = min(self.token_cosine, _least_cosine(got, want))

    def see_last_four(self, got: Float64Array, want: Float64Array) -> None:
        """Sums [T, H] of the last four layers."""
        self.last_four_abs = max(self.last_four_abs, float(np.abs(got - want).max()))

    def see_pooled(self, got: Float64Array, want: Float64Array) -> None:
        """Normalized text vectors [N, H]."""
        self.pooled_abs = max(self.pooled_abs, float(np.abs(got - want).max()))
        self.pooled_cosine = min(self.pooled_cosine, _least_cosine(got, want))

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            **{name: _short(getattr(self, name)) for name in _DISTANCES},
            **{name: round(getattr(self, name), 8) for name in _COSINES},
            "layer_l2": {str(layer): _short(value) for layer, value in sorted(self.layer_l2.items())},
        }

    def refuse_beyond(self, tolerance: Tolerance, precision: Precision) -> None:
        """Raise GateError at the first limit that is exceeded."""
        for name in (*_DISTANCES, *_COSINES):
            got, limit = getattr(self, name), getattr(tolerance, name)
            within = got >= limit if name in _COSINES else got <= limit
            if not within:  # also where got is NaN
                raise GateError(
                    f"{precision.value} is not equal to the reference: {name} is {got:.6g}; limit {limit:g}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Texts that are run together, and what the reference says of them.

    Attributes:
        layers: per layer 0..L the vectors [T, H] of all real tokens, text after text.
        pooled: [N, H], normalized.
    """

    batch: Batch
    layers: tuple[Float64Array, ...]
    pooled: Float64Array


def make_probes(
    reference: HiddenStates, sentences: Sequence[Sequence[int]], lengths: Sequence[int], pooling: Pooling, pad: int
) -> Iterator[Probe]:
    """One probe per length, then the mixed batch.

    Args:
        reference: the forward pass in float64.
        sentences: token ids of real texts, with their special tokens.
        lengths: how many tokens to probe alone.
        pooling: how texts are pooled.
        pad: id to pad with.
    """
    running = [token for sentence in sentences for token in sentence]
    groups = [[_cycle(running, length)] for length in lengths]
    longest = max(lengths)
    groups.append([list(sentence[:longest]) for sentence in sentences])
    for texts in groups:
        layers = list(reference(texts))
        pooled = np.stack([_pool(last, pooling) for last in layers[-1]])
        yield Probe(
            batch=collate(texts, pad),
            layers=tuple(np.concatenate(layer) for layer in layers),
            pooled=pooled / np.linalg.norm(pooled, axis=1, keepdims=True),
        )


class Judge:
    """Runs both graphs of one precision on the CPU and compares."""

    def __init__(self, artifact: Artifact, precision: Precision) -> None:
        device = Device(execution_provider=CPU, precision=precision)
        weights = load_weights(artifact, precision)
        self._embed, self._layers = (
            Session(artifact, device, variant, weights=weights, intra_op_threads=0)
            for variant in (Variant.EMBED, Variant.LAYERS)
        )
        self._outputs = [hidden_state(n) for n in range(artifact.manifest.model.num_hidden_layers + 1)]
        self._last_four = min(4, len(self._outputs) - 1)
        self.deviation = Deviation()

    def see(self, probe: Probe) -> None:
        """Run one probe and keep the worst."""
        (pooled,) = self._embed.run(probe.batch, [NORMALIZED])
        self.deviation.see_pooled(pooled.astype(np.float64), probe.pooled)
        states = [_real(state, probe.batch) for state in self._layers.run(probe.batch, self._outputs)]
        for layer, (got, want) in enumerate(zip(states, probe.layers, strict=True)):
            self.deviation.see_layer(layer, got, want)
        last = slice(-self._last_four, None)
        self.deviation.see_last_four(sum(states[last]), sum(probe.layers[last]))  # type: ignore[arg-type]


def _real(state: npt.NDArray[Any], batch: Batch) -> Float64Array:
    """[B, S, H] to the real tokens [T, H] in float64."""
    return np.concatenate([row[:length] for row, length in zip(state, batch.lengths, strict=True)]).astype(np.float64)


def _pool(last_hidden_state: Float64Array, pooling: Pooling) -> Float64Array:
    pooled: Float64Array = last_hidden_state[0] if pooling is Pooling.CLS else last_hidden_state.mean(axis=0)
    return pooled


def _cycle(ids: Sequence[int], length: int) -> list[int]:
    return [ids[i % len(ids)] for i in range(length)]


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _least_cosine(a: Float64Array, b: Float64Array) -> float:
    return float(((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))).min())
