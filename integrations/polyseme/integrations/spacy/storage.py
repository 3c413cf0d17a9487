"""The vectors of the model's tokens, which a document carries as its extension `doc._.polyseme`.

They are {"vectors": [T, H] float32, "offsets": [T, 2] int64}, or None where the document was not embedded itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from spacy.tokens import Doc, Span, Token

from polyseme.client import TokenEmbeddings

_SPACES: Final = "\u2581\u0120"  # the space that a tokenizer puts before a word where the text has none


def keep(tokens: TokenEmbeddings, doc: Doc) -> None:
    """Put the model's tokens into a document, without a space that was put before a word, as the server does."""
    texts = [doc.text[start:end] for start, end in tokens.offsets]
    spelled = zip(tokens.tokens, texts, strict=True)
    own = [i for i, (token, text) in enumerate(spelled) if token.strip(_SPACES) or token == text or not text.strip()]
    offsets = np.array(tokens.offsets, np.int64).reshape(-1, 2)
    doc._.polyseme = {"vectors": tokens.vectors[own], "offsets": offsets[own]}


def vectors_of(part: Doc | Span | Token) -> npt.NDArray[np.float32]:
    """Give the vectors of the model's tokens that a part overlaps: [N, H].

    Documents made of others, as by Span.as_doc, do not carry them: the vectors of spaCy's tokens stand in.
    """
    doc = part.doc
    kept = doc._.polyseme
    found: npt.NDArray[np.float32]
    if kept is None:
        first = part.i if isinstance(part, Token) else part.start if isinstance(part, Span) else 0
        count = 1 if isinstance(part, Token) else len(part)
        found = doc.tensor[first : first + count] if doc.tensor.size else np.zeros((0, 0), np.float32)
        return found[found.any(axis=1)]
    start = part.idx if isinstance(part, Token) else part.start_char if isinstance(part, Span) else 0
    starts, ends = kept["offsets"].T
    found = kept["vectors"][(starts < start + len(part.text)) & (ends > start)]
    return found


Doc.set_extension("polyseme", default=None, force=True)
