"""A head as config.json tells of it: its kind, its labels, how its logits become scores. Untrusted input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from polyseme.artifact import HeadKind, ScoreFunction
from polyseme.artifact.prediction_heads import MAX_LABELS, refuse_labels
from polyseme.export.errors import CheckpointError, UnsupportedError

_KINDS: Final = {
    "ForSequenceClassification": HeadKind.CLASSIFICATION,
    "ForTokenClassification": HeadKind.TOKEN_CLASSIFICATION,
    "ForQuestionAnswering": HeadKind.QUESTION_ANSWERING,
}
_PROBLEMS: Final = {
    "single_label_classification": ScoreFunction.SOFTMAX,
    "multi_label_classification": ScoreFunction.SIGMOID,
    "regression": ScoreFunction.IDENTITY,
}
_DEFAULT_LABELS: Final = 2  # transformers'
_ACTIVATIONS: Final = {
    "torch.nn.modules.linear.Identity": ScoreFunction.IDENTITY,
    "torch.nn.Identity": ScoreFunction.IDENTITY,
    "torch.nn.modules.activation.Sigmoid": ScoreFunction.SIGMOID,
    "torch.nn.Sigmoid": ScoreFunction.SIGMOID,
}


def head_kind(config: Mapping[str, Any]) -> HeadKind | None:
    """Tell what the class that config.json names predicts; None where it is none of those with such a head."""
    names = config.get("architectures")
    first = names[0] if isinstance(names, list) and names else ""
    if not isinstance(first, str):
        return None
    return next((kind for end, kind in _KINDS.items() if first.endswith(end)), None)


def read_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the labels in the order of the logits: id2label, else LABEL_0, LABEL_1 as transformers names them.

    Raises:
        CheckpointError: the map has gaps, names no texts, or too many.
    """
    told = config.get("id2label")
    if told is None:
        count = config.get("num_labels", _DEFAULT_LABELS)
        if type(count) is not int or not 1 <= count <= MAX_LABELS:
            raise CheckpointError(f"config.json num_labels: got {ascii(count)[:40]}; limits 1..{MAX_LABELS}")
        return tuple(f"LABEL_{number}" for number in range(count))
    if not isinstance(told, dict) or not told or len(told) > MAX_LABELS:
        got = f"{len(told)} labels" if isinstance(told, dict) else type(told).__name__
        raise CheckpointError(f"config.json id2label: got {got}; expected 1 to {MAX_LABELS} labels by number")
    if set(told) != set(map(str, range(len(told)))):
        raise CheckpointError(f"config.json id2label: its {len(told)} numbers are not 0 to {len(told) - 1}")
    labels = tuple(told[str(number)] for number in range(len(told)))
    if not all(isinstance(label, str) for label in labels):
        raise CheckpointError("config.json id2label: a label is not a text")
    if problem := refuse_labels(labels):
        raise CheckpointError(f"config.json id2label: {problem}")
    return labels


def score_function(
    config: Mapping[str, Any], kind: HeadKind, labels: int, cross_encoder: Mapping[str, Any] | None = None
) -> ScoreFunction:
    """Tell how logits become scores: as transformers' pipelines, or a CrossEncoder of one label, have it.

    Args:
        config: config.json.
        kind: of the head.
        labels: how many.
        cross_encoder: what the folder says of its CrossEncoder, if it is one.

    Raises:
        UnsupportedError: a problem_type or an activation that is not known.
    """
    if kind is not HeadKind.CLASSIFICATION:
        return ScoreFunction.SOFTMAX
    activation = _cross_encoder_activation(config, cross_encoder or {})
    if activation is not None and labels == 1:
        if activation not in _ACTIVATIONS:
            known = "torch.nn's Identity and Sigmoid"
            raise UnsupportedError(
                f"config.json: activation {ascii(activation)[:80]} of a CrossEncoder is not supported; {known} are"
            )
        return _ACTIVATIONS[activation]
    problem = config.get("problem_type")
    if problem is None:
        return ScoreFunction.SIGMOID if labels == 1 else ScoreFunction.SOFTMAX
    if not isinstance(problem, str) or problem not in _PROBLEMS:
        raise UnsupportedError(
            f"config.json problem_type {ascii(problem)[:40]} is not supported; {', '.join(_PROBLEMS)} are"
        )
    if labels == 1 and problem == "single_label_classification":
        return ScoreFunction.SIGMOID
    return _PROBLEMS[problem]


def _cross_encoder_activation(config: Mapping[str, Any], cross_encoder: Mapping[str, Any]) -> str | None:
    """Give the name of its class, by the newest file's word."""
    older = config.get("sentence_transformers")
    told = cross_encoder.get("activation_fn") or (older.get("activation_fn") if isinstance(older, dict) else None)
    told = told or config.get("sbert_ce_default_activation_function")
    return None if told is None else str(told)
