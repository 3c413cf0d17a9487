"""Checks an artifact without its source: its graphs load, run, and agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import TOKENIZER, Activation, Artifact, ModelSpec, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, SPAN_VECTORS, TOKEN_VECTORS
from polyseme.artifact.heads import dense_bias, dense_weight
from polyseme.runtime.batches.padded import Batch, collate
from polyseme.runtime.batches.selection import TokenSelection, every_state
from polyseme.runtime.batches.token_types import TokenTypes
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session, load_weights
from polyseme.runtime.errors import SelfCheckError, TokenizerError
from polyseme.runtime.heads import LoadedHead, load_heads
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate
from polyseme.runtime.verification.reference_head import Dense, apply_dense, pool
from polyseme.runtime.verification.vectors import cosines

TEXTS: Final = (
    "I deposited the check at the bank.",
    "We sat on the bank of the river.",
    "",
    "Stop!",
    "Call me Ishmael. Some years ago, never mind how long precisely, I thought I would sail about a little. " * 20,
)
_TOLERANCE: Final = {
    Precision.FP32: 1e-5,
    Precision.FP16: 2e-3,
}  # difference of a unit vector's elements, whose sums run in another order
_LEAST_COSINE: Final = 0.99999  # cosine of pooled vectors in fp16 and fp32; rounding alone leaves 0.999999
_MOST_TOKEN_L2: Final = 2.5e-2  # the same of a token's vector, relative; export lets pass 2e-2 against float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check, and its result."""

    check: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The vectors of one precision.

    Attributes:
        normalized: [N, D], of all batches.
        states: of the first batch, [L + 2, T, H]: every real token in every state.
        worst: the largest difference of an element between the two graphs.
    """

    normalized: npt.NDArray[np.float32]
    states: npt.NDArray[np.float32]
    worst: float


def self_check(artifact: Artifact, *, full: bool = False) -> list[Finding]:
    """Check every graph of an artifact whose hashes are right.

    Args:
        artifact: as `Artifact.open` gave it.
        full: run every length up to the model's limit, not only a few texts.

    Raises:
        SelfCheckError: a graph cannot be run, gives what the manifest does not say, or disagrees with another.
        RuntimeUnavailableError: a graph cannot be loaded.
        TokenizerError: the tokenizer cannot be used.
    """
    batches = _batches(artifact, full=full)
    findings, seen = [], {}
    for precision in artifact.manifest.precisions:
        seen[precision] = _check_precision(artifact, precision, batches)
        result = f"finite; both graphs agree to {seen[precision].worst:.1e}"
        findings.append(Finding(check=f"{precision.value}, {_counted(batches)}", result=result))
    if len(seen) == 2:
        cosine = _agreement(seen[Precision.FP32], seen[Precision.FP16])
        findings.append(Finding(check="fp16 against fp32", result=f"least cosine {cosine:.7f}"))
    states = next(iter(seen.values())).states[-1]
    return [*findings, *(_check_head(name, head, states) for name, head in load_heads(artifact).items())]


def _check_head(name: str, head: LoadedHead, tokens: npt.NDArray[np.float32]) -> Finding:
    scores = head.scores(head.logits(tokens))
    if not np.isfinite(scores).all():
        raise SelfCheckError(f"head {name} gives scores that are not finite")
    return Finding(check=f"head {name}, {len(tokens)} tokens", result="finite")


def _counted(batches: Sequence[Batch]) -> str:
    return f"{len(batches)} batch{'es' if len(batches) > 1 else ''}"


def _batches(artifact: Artifact, *, full: bool) -> list[Batch]:
    """Make a mixed batch; after it, if `full`, one text alone for each length."""
    spec = artifact.manifest.model
    texts = _texts(artifact.path(TOKENIZER), spec)
    longest = max(texts, key=len)
    lengths = range(1, spec.max_tokens + 1) if full else ()
    alone = [[[longest[i % len(longest)] for i in range(length)]] for length in lengths]
    encoder, types = spec.encoder, TokenTypes.of(spec.encoder)
    return [collate(group, encoder.pad_token_id, encoder.padding_idx, types=types) for group in (texts, *alone)]


def _texts(tokenizer: Path, spec: ModelSpec) -> list[list[int]]:
    """Token ids of TEXTS, cut to the model's length; without those that have none."""
    options = EncodeOptions(limit=spec.max_tokens, truncate=Truncate.END)
    try:
        encoded = Tokenizer(tokenizer, vocab_size=spec.encoder.vocab_size).encode(TEXTS, options)
    except (TokenizerError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library raises bare Exception, and PanicException, which is not even that
        raise TokenizerError(f"{TOKENIZER} cannot encode texts: {_one_line(error)}") from error
    if not any(len(text.ids) for text in encoded):
        raise TokenizerError(f"{TOKENIZER} finds no token in any of {len(TEXTS)} texts")
    return [text.ids.tolist() for text in encoded if len(text.ids)]


def _check_precision(artifact: Artifact, precision: Precision, batches: Sequence[Batch]) -> _Seen:
    embed, layers = _graphs(artifact, precision)
    standard = _standard_graph(artifact, precision)
    spec, worst, rows = artifact.manifest.model, [], []
    dense = dense_layers(artifact, precision)
    states: list[npt.NDArray[np.float32]] = []
    for batch in batches:
        vectors = embed.run(batch, dict.fromkeys((POOLED, NORMALIZED), (batch.shape[0], spec.embedding.dimensions)))
        selection = every_state(batch, spec.encoder.num_hidden_layers)
        counts = {TOKEN_VECTORS: (len(selection.positions),), SPAN_VECTORS: (batch.shape[0], 1)}
        shapes = {
            name: (spec.encoder.num_hidden_layers + 2, *count, spec.encoder.hidden_size)
            for name, count in counts.items()
        }
        outputs = layers.run(batch, shapes, selection)
        tokens, normalized = outputs[TOKEN_VECTORS], vectors[NORMALIZED]
        _refuse_other_means(outputs[SPAN_VECTORS], tokens, selection, precision)
        by_text = np.split(tokens[-1], np.cumsum(batch.lengths)[:-1])
        pooled = apply_dense(np.stack([pool(text, spec.embedding.pooling) for text in by_text]), dense)
        _refuse_other_lengths(normalized, precision, may_be_zero=_may_be_zero(pooled, dense))
        worst += [np.abs(_unit(pooled) - normalized).max(), _relative(vectors[POOLED], pooled)]
        if standard is not None:
            _refuse_other_vectors(standard, batch, normalized, precision)
        rows.append(normalized)
        states = states or [tokens]
    if not max(worst) <= _TOLERANCE[precision]:
        raise SelfCheckError(
            f"{precision.value}: embed and layers graphs differ by {max(worst):.1e}; limit {_TOLERANCE[precision]}"
        )
    return _Seen(normalized=np.concatenate(rows), states=states[0], worst=float(max(worst)))


def dense_layers(artifact: Artifact, precision: Precision) -> list[Dense]:
    """Read the dense layers of a head, in float32.

    Raises:
        SelfCheckError: a weight is not there in the shape that the manifest gives it.
    """
    weights, layers = artifact.weights(precision), []
    for number, spec in enumerate(artifact.manifest.model.embedding.dense):
        shapes: dict[str, tuple[int, ...]] = {dense_weight(number): (spec.in_features, spec.out_features)}
        shapes |= {dense_bias(number): (spec.out_features,)} if spec.bias else {}
        for name, shape in shapes.items():
            got = weights[name].shape if name in weights else "missing"
            if got != shape:
                raise SelfCheckError(f"{precision.value}: weight {name} is {got}; the manifest says {shape}")
        weight, *bias = (weights[name].astype(np.float32) for name in shapes)
        layers.append(Dense(weight=weight, bias=bias[0] if bias else None, activation=spec.activation))
    return layers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graph:
    """A graph that is not trusted to give what the manifest says."""

    name: str
    session: Session

    def run(
        self, batch: Batch, shapes: Mapping[str, tuple[int, ...]], selection: TokenSelection | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Give the outputs by name, each finite and of the shape that it must have."""
        try:
            outputs = dict(zip(shapes, self.session.run(batch, list(shapes), selection), strict=True))
        except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
            raise SelfCheckError(f"{self.name} cannot be run: {_one_line(error)}") from error
        for name, array in outputs.items():
            got = array.shape if isinstance(array, np.ndarray) and array.dtype.kind == "f" else type(array).__name__
            if got != shapes[name]:
                raise SelfCheckError(f"{self.name}: {name} is {got}; the manifest says floats of {shapes[name]}")
            if not np.isfinite(array).all():
                raise SelfCheckError(f"{self.name}: {name} has numbers that are not finite")
        return outputs


def _graphs(artifact: Artifact, precision: Precision) -> tuple[_Graph, _Graph]:
    device = Device(execution_provider=CPU, precision=precision)
    weights = load_weights(artifact, device)

    def graph(variant: Variant) -> _Graph:
        session = Session(artifact, device, variant, weights=weights, intra_op_threads=0)
        return _Graph(name=artifact.manifest.precisions[precision].graphs[variant], session=session)

    return graph(Variant.EMBED), graph(Variant.LAYERS)


def _standard_graph(artifact: Artifact, precision: Precision) -> _Graph | None:
    name = artifact.manifest.precisions[precision].standard
    if not name:
        return None
    device = Device(execution_provider=CPU, precision=precision)
    return _Graph(name=name, session=Session(artifact, device, standard=True, intra_op_threads=0))


def _refuse_other_vectors(graph: _Graph, batch: Batch, want: npt.NDArray[Any], precision: Precision) -> None:
    distance = float(np.abs(graph.run(batch, {NORMALIZED: want.shape})[NORMALIZED] - want).max())
    if not distance <= _TOLERANCE[precision]:
        raise SelfCheckError(f"{graph.name} differs from embed by {distance:.1e}; limit {_TOLERANCE[precision]}")


def _may_be_zero(pooled: npt.NDArray[Any], dense: Sequence[Dense]) -> npt.NDArray[np.bool_]:
    """Find the vectors [N, D] that are zeros as they should be: a head may give them only where it cuts off at 0."""
    cuts_off = any(layer.activation is Activation.RELU for layer in dense)
    return np.logical_and(cuts_off, ~pooled.any(axis=1))


def _refuse_other_lengths(
    normalized: npt.NDArray[Any], precision: Precision, *, may_be_zero: npt.NDArray[np.bool_]
) -> None:
    """Zero has no direction: such vectors would agree with everything."""
    lengths = np.linalg.norm(normalized, axis=1)
    lengths[may_be_zero & (lengths == 0)] = 1
    if np.abs(lengths - 1).max() > _TOLERANCE[precision]:
        raise SelfCheckError(
            f"{precision.value}: {NORMALIZED} has a vector of length {lengths[np.abs(lengths - 1).argmax()]:.6g}, not 1"
        )


def _refuse_other_means(
    spans: npt.NDArray[Any], tokens: npt.NDArray[Any], selection: TokenSelection, precision: Precision
) -> None:
    """Spans must be pooled as asked: what the graph sums up, numpy sums up too."""
    expected = selection.spans.weights @ tokens[:, selection.spans.tokens]
    distance = float((np.abs(spans - expected) / np.maximum(np.abs(expected), 1)).max())
    if not distance <= _TOLERANCE[precision]:
        limit = _TOLERANCE[precision]
        raise SelfCheckError(
            f"{precision.value}: {SPAN_VECTORS} differ from {TOKEN_VECTORS} by {distance:.1e}; limit {limit}"
        )


def _agreement(fp32: _Seen, fp16: _Seen) -> float:
    """Find the least cosine of a text's two vectors."""
    for layer, (got, want) in enumerate(zip(fp16.states, fp32.states, strict=True), start=-1):
        distance = float((_lengths(got - want) / np.maximum(_lengths(want), 1e-6)).max())
        if not distance <= _MOST_TOKEN_L2:
            name = "the word embeddings" if layer < 0 else f"layer {layer}"
            raise SelfCheckError(
                f"fp16 and fp32 differ in {name}: relative L2 of a token {distance:.2g}; limit {_MOST_TOKEN_L2}"
            )
    cosine = float(cosines(fp32.normalized, fp16.normalized).min())
    if not cosine >= _LEAST_COSINE:
        raise SelfCheckError(f"fp16 and fp32 vectors have cosine {cosine:.7f}; limit {_LEAST_COSINE}")
    return cosine


def _lengths(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths: npt.NDArray[np.float32] = np.linalg.norm(vectors, axis=1)
    return lengths


def _relative(got: npt.NDArray[Any], want: npt.NDArray[Any]) -> float:
    """Find the largest difference of an element, in lengths of its vector."""
    return float((np.abs(got - want) / np.maximum(np.linalg.norm(want, axis=1, keepdims=True), 1e-12)).max())


def _unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    unit: npt.NDArray[Any] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def _one_line(error: BaseException) -> str:
    """Give the message of a library on one line, printable: it may quote names out of the file."""
    line = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return "".join(character if character.isprintable() else " " for character in line)
