"""The component's name and its configuration, which spaCy checks; an entry point of the wheel leads spaCy here."""

from __future__ import annotations

from typing import Final, Literal

from spacy.language import Language

from polyseme.client import Client, Truncate
from polyseme.integrations.spacy.component import ContextualVectors

_DEFAULTS: Final = {
    "target": "localhost:50051",
    "model": None,
    "layers": [-1],
    "combine": "sum",
    "truncate": "none",
    "timeout": 30.0,
}


def make(
    nlp: Language,
    name: str,
    target: str,
    model: str | None,
    layers: int | Literal["static"] | list[int | Literal["static"]],
    combine: Literal["sum", "mean", "concat"],
    truncate: Truncate,
    timeout: float,
) -> ContextualVectors:
    """Make the component of a pipeline; the options are those of `Client` and `Client.embed_tokens`."""
    client = Client(target, model=model, timeout=timeout)
    return ContextualVectors(name, client, layers=layers, combine=combine, truncate=truncate)


Language.factory(
    "polyseme",
    default_config=_DEFAULTS,
    assigns=["doc.tensor", "token.vector"],
    func=make,
)
