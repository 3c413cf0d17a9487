"""The distance between onnxruntime's vectors and the float64 reference, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Artifact, HeadKind, Layout, Pooling, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, SPAN_VECTORS, TOKEN_VECTORS
from polyseme.export.encoders.reference import Float64Array
from polyseme.export.errors import GateError
from polyseme.export.gates.reference_cases import ReferenceCase
from polyseme.export.graphs.packed_on_cpu import cpu_graph_of
from polyseme.runtime.batches.packed import PackedBatch, pack
from polyseme.runtime.batches.padded import Batch
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.packed_session import PackedSession
from polyseme.runtime.engines.onnxruntime.padded_session import Session, load_weights
from polyseme.runtime.heads import LoadedHead, load_heads
from polyseme.runtime.verification.reference_head import pool
from polyseme.runtime.verification.vectors import cosines

_DISTANCES: Final = ("token_l2", "token_abs", "last_four_abs", "span_l2", "pooled_abs")
_COSINES: Final = ("token_cosine", "pooled_cosine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The largest differences that a graph may have from the reference.

    Attributes:
        token_l2: largest relative L2 distance of a token's vector, at any layer.
        token_abs: largest difference of any element of a token's vector, at any layer; where the elements of a layer
            are larger than those of BERT, as many times more: in units of their root mean square, if above 1.
        last_four_abs: the same for the sum of the last four layers.
        span_l2: largest L2 distance of the mean over a text's tokens, at any layer, relative to their mean length.
        pooled_abs: largest difference of any element of a normalized text vector.
        token_cosine: smallest cosine of a token's vector, at any layer.
        pooled_cosine: smallest cosine of a text's vector.
        head_abs: largest difference of a logit of a head that predicts, in units of their root mean square if above 1.
    """

    token_l2: float
    token_abs: float
    last_four_abs: float
    span_l2: float
    pooled_abs: float
    token_cosine: float
    pooled_cosine: float
    head_abs: float


# fp32: what PyTorch's own float32 reaches (1,000 texts, all layers). fp16 here runs on the CPU provider through Casts:
# this checks structure and the rounding of weights; fp16 arithmetic is checked on a GPU.
TOLERANCES: Final = {
    Precision.FP32: Tolerance(
        token_l2=1e-5,
        token_abs=3e-5,
        last_four_abs=5e-5,
        span_l2=1e-5,
        pooled_abs=1e-6,
        token_cosine=0.99999,
        pooled_cosine=0.99999,
        head_abs=5e-5,
    ),
    Precision.FP16: Tolerance(
        token_l2=2e-2,
        token_abs=np.inf,
        last_four_abs=np.inf,
        span_l2=2e-2,
        pooled_abs=np.inf,
        token_cosine=0.9999,
        pooled_cosine=0.999995,
        head_abs=5e-2,
    ),
}


@dataclass(slots=True)
class Deviation:
    """The largest differences that were seen of a precision; `Tolerance` describes the fields."""

    token_l2: float = 0.0
    token_abs: float = 0.0
    last_four_abs: float = 0.0
    span_l2: float = 0.0
    pooled_abs: float = 0.0
    token_cosine: float = 1.0
    pooled_cosine: float = 1.0
    head_abs: float = 0.0
    layer_l2: dict[int, float] = field(default_factory=dict)
    has_heads: bool = False

    def see_layer(self, layer: int, got: Float64Array, want: Float64Array) -> None:
        """Take the token vectors [T, H] of one layer."""
        l2 = float((np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)).max())
        self.layer_l2[layer] = _larger(self.layer_l2.get(layer, 0.0), l2)
        self.token_l2 = _larger(self.token_l2, l2)
        self.token_abs = _larger(self.token_abs, _scaled_abs(got, want))
        self.token_cosine = _smaller(self.token_cosine, float(cosines(got, want).min()))

    def see_last_four(self, got: Float64Array, want: Float64Array) -> None:
        """Take the sums [T, H] of the last four layers."""
        self.last_four_abs = _larger(self.last_four_abs, _scaled_abs(got, want))

    def see_spans(self, got: Float64Array, tokens: Sequence[Float64Array]) -> None:
        """Take the means [N, H] over the tokens of each text in one layer, and N times these tokens' vectors [T, H]."""
        for mean, each in zip(got, tokens, strict=True):
            distance = np.linalg.norm(mean - each.mean(axis=0)) / np.linalg.norm(each, axis=1).mean()
            self.span_l2 = _larger(self.span_l2, float(distance))

    def see_pooled(self, got: Float64Array, want: Float64Array) -> None:
        """Take normalized text vectors [N, H]."""
        self.pooled_abs = _larger(self.pooled_abs, float(np.abs(got - want).max()))
        self.pooled_cosine = _smaller(self.pooled_cosine, float(cosines(got, want).min()))

    def see_logits(self, got: Float64Array, want: Float64Array) -> None:
        """Logits [N, C] of a head."""
        self.has_heads = True
        self.head_abs = _larger(self.head_abs, _scaled_abs(got, want))

    def as_json(self) -> dict[str, Any]:
        """Write the entry of the manifest; of a graph that gives texts alone, without tokens."""
        report: dict[str, Any] = {
            **{name: _short(getattr(self, name)) for name in _DISTANCES},
            **{name: round(getattr(self, name), 8) for name in _COSINES},
            **({"head_abs": _short(self.head_abs)} if self.has_heads else {}),
            "layer_l2": {str(layer): _short(value) for layer, value in sorted(self.layer_l2.items())},
        }
        return report if self.layer_l2 else {name: report[name] for name in ("pooled_abs", "pooled_cosine")}

    def refuse_beyond(self, tolerance: Tolerance, graphs: str) -> None:
        """Raise GateError at the first limit that is exceeded."""
        for name in (*_DISTANCES, "head_abs", *_COSINES):
            got, limit = getattr(self, name), getattr(tolerance, name)
            within = got >= limit if name in _COSINES else got <= limit
            if not within:  # also where got is NaN
                raise GateError(f"{graphs} is not equal to the reference: {name} is {got:.6g}; limit {limit:g}")


Form: TypeAlias = Literal["padded", "packed", "standard"]


class Judge:
    """Runs the graphs of one precision and form on the CPU and compares; packed ones in their CPU form."""

    def __init__(self, artifact: Artifact, precision: Precision, form: Form = "padded") -> None:
        self.precision = precision
        self.name = precision.value if form == "padded" else f"{precision.value} {form}"
        self.deviation = Deviation()
        self._tolerance = TOLERANCES[precision]
        self._collate = _collate_packed if form == "packed" else _collate_padded
        self._sessions = _SESSIONS[form](artifact, Device(execution_provider=CPU, precision=precision))
        self._num_hidden_layers = artifact.manifest.model.encoder.num_hidden_layers
        self._heads = load_heads(artifact)

    def see(self, case: ReferenceCase) -> None:
        """Run one case and keep the largest differences.

        Raises:
            GateError: a difference is larger than the precision explains.
        """
        with np.errstate(all="ignore"):  # zeros and overflows make NaN, which is beyond every limit
            self._compare(case)
        self.deviation.refuse_beyond(self._tolerance, self.name)

    def _compare(self, case: ReferenceCase) -> None:
        batch = self._collate(case)
        (pooled,) = self._sessions[Variant.EMBED].run(batch, [NORMALIZED])
        self.deviation.see_pooled(pooled.astype(np.float64), case.pooled)
        if Variant.LAYERS not in self._sessions:
            return
        selection = every_state(batch, self._num_hidden_layers)
        outputs = self._sessions[Variant.LAYERS].run(batch, [TOKEN_VECTORS, SPAN_VECTORS], selection)
        # The first state is the row of the word table.
        states, spans = (vectors[1:].astype(np.float64) for vectors in outputs)
        for layer, (got, want) in enumerate(zip(states, case.layers, strict=True)):
            self.deviation.see_layer(layer, got, want)
            self.deviation.see_spans(spans[layer, :, 0], np.split(want, np.cumsum(batch.lengths)[:-1]))
        last = slice(-min(4, self._num_hidden_layers), None)
        self.deviation.see_last_four(_sum(states[last]), _sum(case.layers[last]))
        for name, want in case.logits.items():
            self.deviation.see_logits(_logits(self._heads[name], outputs[0][-1], batch.lengths), want)


def _logits(head: LoadedHead, tokens: npt.NDArray[np.float32], lengths: npt.NDArray[np.int32]) -> Float64Array:
    """Vectors [T, H] of the last layer to logits, as a server brings them there."""
    if head.spec.kind is HeadKind.CLASSIFICATION:
        texts = np.split(tokens, np.cumsum(lengths)[:-1])
        tokens = np.stack([pool(text, head.spec.pooling or Pooling.CLS) for text in texts])
    return head.logits(tokens).astype(np.float64)


def _collate_padded(case: ReferenceCase) -> Batch:
    return case.batch


def _collate_packed(case: ReferenceCase) -> PackedBatch:
    return pack(case.texts, case.batch.padding_idx, types=case.types)


def _padded_sessions(artifact: Artifact, device: Device) -> dict[Variant, Any]:
    weights = load_weights(artifact, device)
    return {variant: Session(artifact, device, variant, weights=weights, intra_op_threads=0) for variant in Variant}


def _cpu_form_sessions(artifact: Artifact, device: Device) -> dict[Variant, Any]:
    weights = load_weights(artifact, device, Layout.PACKED)
    graphs = artifact.manifest.precisions[device.precision].of(Layout.PACKED).graphs
    cpu_graphs = {variant: cpu_graph_of(artifact.path(graphs[variant])) for variant in Variant}
    return {
        variant: PackedSession(artifact, device, variant, weights=weights, cpu_graph=cpu_graphs[variant])
        for variant in Variant
    }


def _standard_session(artifact: Artifact, device: Device) -> dict[Variant, Any]:
    return {Variant.EMBED: Session(artifact, device, standard=True, intra_op_threads=0)}


_SESSIONS: Final[dict[Form, Callable[[Artifact, Device], dict[Variant, Any]]]] = {
    "padded": _padded_sessions,
    "packed": _cpu_form_sessions,
    "standard": _standard_session,
}


def _sum(states: Float64Array | tuple[Float64Array, ...]) -> Float64Array:
    total: Float64Array = np.sum(states, axis=0)
    return total


def _scaled_abs(got: Float64Array, want: Float64Array) -> float:
    return float(np.abs(got - want).max() / max(1.0, float(np.sqrt((want**2).mean()))))


def _larger(a: float, b: float) -> float:
    """Give the maximum, or NaN if either is: Python's max may drop it."""
    return float(np.maximum(a, b))


def _smaller(a: float, b: float) -> float:
    return float(np.minimum(a, b))


def _short(value: float) -> float:
    return float(f"{value:.3g}")
