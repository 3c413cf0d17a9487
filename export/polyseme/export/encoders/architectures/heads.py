"""A checkpoint's own head over its encoder, by the names that each family gives its weights.

What a family computes between its encoder and the logits is told twice: as the layers of a `PredictionHead`, which are
exported, and as a float64 reference of its own, by which these are judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from polyseme.artifact import Activation, DenseSpec, HeadKind, Pooling, PredictionHead
from polyseme.export.encoders.encoder import EncoderConfig, Float32Array
from polyseme.export.encoders.reference import Float64Array, gelu, layer_norm
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.reading.label_maps import head_kind, read_labels, score_function
from polyseme.export.reading.sentence_transformers.modules import cross_encoder_config

HeadReference = Callable[[Float64Array], Float64Array]
"""The vectors [T, H] of a text's tokens, of the last layer, to logits: [C] of a text, [T, C] of its tokens."""

TYPED: Final = frozenset({"bert"})
"""Architectures that are told which tokens are of a second text; the others have one type, or none."""

_BERT: Final = frozenset({"bert"})
_DISTILBERT: Final = frozenset({"distilbert"})
_MODERNBERT: Final = frozenset({"modernbert"})
_POOLERS: Final = ("", "bert.")
_CLASSIFIER: Final = "classifier"
_QA: Final = "qa_outputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointHead:
    """A head with its weights.

    Attributes:
        spec: as the manifest has it.
        weights: by the names of `PredictionHead.shapes`, in their order.
        taken: names of the checkpoint's weights that it has.
        reference: the same in float64, from the checkpoint's own names.
    """

    spec: PredictionHead
    weights: Mapping[str, Float32Array]
    taken: frozenset[str]
    reference: HeadReference


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """The names that a family gives the parts of a head; None where it has none."""

    hidden: str | None
    norm: str | None
    output: str


def read_head(checkpoint: Checkpoint, config: EncoderConfig) -> CheckpointHead | None:
    """Read the head of the class that config.json names; None where that has none, or the weights lack it.

    Raises:
        CheckpointError: labels that do not fit, a weight that is missing or misshapen.
        UnsupportedError: an activation or a problem_type that is not computed.
    """
    kind = head_kind(checkpoint.config)
    if kind is None:
        return None
    names = _names(checkpoint, config.architecture, kind)
    if f"{names.output}.weight" not in checkpoint:
        return None
    is_answer = kind is HeadKind.QUESTION_ANSWERING
    labels = () if is_answer else read_labels(checkpoint.config)
    count, h = 2 if is_answer else len(labels), config.hidden_size
    modern = config.architecture in _MODERNBERT
    activation = _activation(checkpoint.config, config.architecture)
    bias = not modern or _modern_bias(checkpoint.config)
    spec = PredictionHead(
        kind=kind,
        labels=labels,
        scores=score_function(checkpoint.config, kind, count, cross_encoder_config(checkpoint.directory)),
        pooling=_pooling(checkpoint.config, modern=modern) if kind is HeadKind.CLASSIFICATION else None,
        hidden=DenseSpec(in_features=h, out_features=h, bias=bias, activation=activation) if names.hidden else None,
        norm_eps=config.layer_norm_eps if names.norm else None,
        output=DenseSpec(in_features=h, out_features=count, bias=True, activation=Activation.IDENTITY),
        file=f"head.{kind.value}.bin",
    )
    taken = {f"{names.output}.weight", f"{names.output}.bias"}
    weights: dict[str, Float32Array] = {}
    for name, shape in spec.shapes():
        part, what = name.split(".")
        own = f"{getattr(names, part)}.{what}"
        taken.add(own)
        values = checkpoint.tensor(own, shape[::-1])
        weights[name] = np.ascontiguousarray(values.T)
    reference = _reference(checkpoint, config, spec, names)
    return CheckpointHead(spec=spec, weights=weights, taken=frozenset(taken), reference=reference)


def write_head(head: CheckpointHead) -> Iterator[bytes]:
    """Give the bytes of its file."""
    for name, _ in head.spec.shapes():
        yield np.ascontiguousarray(head.weights[name], dtype="<f4").tobytes()


def _names(checkpoint: Checkpoint, architecture: str, kind: HeadKind) -> _Names:
    classifies = kind is HeadKind.CLASSIFICATION
    if architecture in _MODERNBERT:
        return _Names(hidden="head.dense", norm="head.norm", output=_CLASSIFIER)
    output = _QA if kind is HeadKind.QUESTION_ANSWERING else _CLASSIFIER
    if not classifies:
        return _Names(hidden=None, norm=None, output=output)
    if architecture in _BERT:
        poolers = [prefix for prefix in _POOLERS if f"{prefix}pooler.dense.weight" in checkpoint]
        return _Names(hidden=f"{poolers[0] if poolers else 'bert.'}pooler.dense", norm=None, output=output)
    if architecture in _DISTILBERT:
        return _Names(hidden="pre_classifier", norm=None, output=output)
    return _Names(hidden="classifier.dense", norm=None, output="classifier.out_proj")


def _activation(config: Mapping[str, Any], architecture: str) -> Activation:
    if architecture in _MODERNBERT:
        told = config.get("classifier_activation", "gelu")
        if told != "gelu":
            raise UnsupportedError(f"config.json classifier_activation {ascii(told)[:40]} is not supported; gelu is")
        return Activation.GELU
    return Activation.RELU if architecture in _DISTILBERT else Activation.TANH


def _modern_bias(config: Mapping[str, Any]) -> bool:
    told = config.get("classifier_bias", False)
    if type(told) is not bool:
        raise CheckpointError(f"config.json classifier_bias: expected true or false, got {ascii(told)[:40]}")
    return told


def _pooling(config: Mapping[str, Any], *, modern: bool) -> Pooling:
    told = config.get("classifier_pooling", "cls") if modern else "cls"
    if told not in ("cls", "mean"):
        raise UnsupportedError(f"config.json classifier_pooling {ascii(told)[:40]} is not supported; cls and mean are")
    return Pooling(told)


def _reference(checkpoint: Checkpoint, config: EncoderConfig, spec: PredictionHead, names: _Names) -> HeadReference:
    """By the checkpoint's names, one text at a time, in float64."""
    h, count = config.hidden_size, spec.output.out_features

    def double(name: str, *shape: int) -> Float64Array:
        return checkpoint.tensor(name, shape).astype(np.float64)

    def hidden(x: Float64Array) -> Float64Array:
        if config.architecture in _MODERNBERT:
            total = x @ double("head.dense.weight", h, h).T
            if "head.dense.bias" in checkpoint:
                total = total + double("head.dense.bias", h)
            return layer_norm(gelu(total), double("head.norm.weight", h), np.zeros(h), config.layer_norm_eps)
        if spec.kind is not HeadKind.CLASSIFICATION:
            return x
        total = x @ double(f"{names.hidden}.weight", h, h).T + double(f"{names.hidden}.bias", h)
        return np.maximum(total, 0) if config.architecture in _DISTILBERT else np.tanh(total)

    def logits(tokens: Float64Array) -> Float64Array:
        x = tokens
        if spec.kind is HeadKind.CLASSIFICATION:
            x = tokens.mean(axis=0) if checkpoint.config.get("classifier_pooling") == "mean" else tokens[0]
        product: Float64Array = hidden(x) @ double(f"{names.output}.weight", count, h).T
        return product + double(f"{names.output}.bias", count)

    return logits
