"""The functions by which spaCy gets the vectors of a document and its parts, and compares them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from spacy.tokens import Doc, Span, Token

from polyseme.integrations.spacy.storage import vectors_of


def add_hooks(doc: Doc) -> Doc:
    """Have vectors read from what a document carries; again after n_process, to_bytes or DocBin, which drop hooks."""
    for hooks in (doc.user_hooks, doc.user_span_hooks, doc.user_token_hooks):
        hooks.update(vector=vector, has_vector=has_vector, similarity=similarity)
    return doc


def vector(part: Doc | Span | Token) -> npt.NDArray[np.float32]:
    """Average the model's tokens that a part overlaps, as `Client.embed_words` does: [H]; zeros where there is none."""
    vectors = vectors_of(part)
    mean: npt.NDArray[np.float32] = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1], np.float32)
    return mean


def has_vector(part: Doc | Span | Token) -> bool:
    """Tell whether the model has a token of a part: not of white space, as a rule, nor beyond a cut."""
    return len(vectors_of(part)) > 0


def similarity(part: Doc | Span | Token, other: Any) -> float:  # noqa: ANN401  whatever has a vector
    """Give the cosine, also of a word with itself elsewhere, for which spaCy has 1; zero where one has no vector."""
    norms = float(part.vector_norm) * float(other.vector_norm)
    return float(np.dot(part.vector, other.vector)) / norms if norms else 0.0
