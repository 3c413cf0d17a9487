"""The head that a call asks for."""

from __future__ import annotations

from typing import Final

from polyseme.artifact import HeadKind
from polyseme.runtime.heads import LoadedHead
from polyseme.server.errors import InvalidInputError, NoHeadError
from polyseme.server.models.served import ServedModel

_FIELD: Final = ("head",)
_WHAT: Final = {
    HeadKind.CLASSIFICATION: "classifies texts",
    HeadKind.TOKEN_CLASSIFICATION: "labels tokens",
    HeadKind.QUESTION_ANSWERING: "answers questions",
}


def find_head(model: ServedModel, kind: HeadKind, name: str, *, of_one_label: bool = False) -> tuple[str, LoadedHead]:
    """Give the head of a kind, and its name.

    Args:
        model: which answers.
        kind: what is to be predicted.
        name: of the head; empty: the only one of the kind.
        of_one_label: whether it must have one label alone.

    Raises:
        InvalidInputError: the model has no such head, one of another kind, or several and none is named.
        NoHeadError: the model has none of the kind.
    """
    what = _WHAT[kind] + (" by one label" if of_one_label else "")
    fitting = {
        own: head
        for own, head in model.heads.items()
        if head.spec.kind is kind and (len(head.spec.labels) == 1 or not of_one_label)
    }
    if name:
        if name not in model.heads:
            raise InvalidInputError(f": {model.manifest.name} has no head of that name; it has: {_told(model)}", _FIELD)
        if name not in fitting:
            raise InvalidInputError(
                f": {name} is not one that {what}; {model.manifest.name} has: {_told(model)}", _FIELD
            )
        return name, fitting[name]
    if not fitting:
        raise NoHeadError(f"{model.manifest.name} has no head that {what}; it has: {_told(model)}")
    if len(fitting) > 1:
        raise InvalidInputError(
            f" is not set, and {model.manifest.name} has {len(fitting)}, each of which {what}: {', '.join(fitting)}",
            _FIELD,
        )
    return next(iter(fitting.items()))


def _told(model: ServedModel) -> str:
    return ", ".join(f"{name} ({head.spec.kind.value})" for name, head in model.heads.items()) or "none that predicts"
