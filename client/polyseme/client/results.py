"""The results of calls, beside plain arrays: small immutable values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from polyseme.client.models import ModelIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class TextInfo:
    """Token counts of one text.

    Attributes:
        tokens: number of tokens that the model saw, special tokens included.
        original_tokens: number of tokens before truncation.
        truncated: whether tokens were cut.
    """

    tokens: int
    original_tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """The time of one call at the server, in seconds.

    Attributes:
        queue_s: from the first token queued to the first batch.
        tokenize_s: tokenization, the wait for it included.
        run_s: from the start of the first batch to the end of the last.
        total_s: from the arrival of the request to the reply.
    """

    queue_s: float
    tokenize_s: float
    run_s: float
    total_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbedResult:
    """Vectors of texts, with token counts, timings and the model.

    Attributes:
        embeddings: the vectors, as `embed` returns them: [N, D] float32, [D] for one str; for dtype "binary" uint8, D
            bits packed into ceil(D / 8) bytes, most significant first.
        dimensions: elements of a vector, D.
        texts: token counts of each text.
        timings: one entry for each call to the server; a long list of texts is split into several.
        model: the model that answered.
        int8: for dtype "int8" the elements as they were sent, int8 in the shape of embeddings; else None.
        scales: for dtype "int8" one scale per vector, [N] float32, [] for one str; else None. `embeddings` is
            `int8 * scales[..., None]`.
    """

    embeddings: npt.NDArray[Any]
    dimensions: int
    texts: tuple[TextInfo, ...]
    timings: tuple[Timings, ...]
    model: ModelIdentity
    int8: npt.NDArray[np.int8] | None = None
    scales: npt.NDArray[np.float32] | None = None


class TopK(NamedTuple):
    """The closest entries, the closest first: `scores, indices = client.top_k(...)`.

    Attributes:
        scores: [N, k] float32; [k] for one query.
        indices: int64 in the shape of scores, indices into the texts that were searched.
    """

    scores: npt.NDArray[np.float32]
    indices: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Columns of equal length: entry i of each describes token i of one text.

    Attributes:
        tokens: as the vocabulary spells them, for example "##ing".
        ids: in the model's vocabulary.
        offsets: (start, end) in the original text, in the offset unit asked for; (0, 0) for tokens that the model or a
            prompt added. Neighbours may overlap.
        special: whether the id is one of the model's special ids.
        word_ids: the tokenizer's word, counted from 0; None for tokens of no word.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    special: tuple[bool, ...]
    word_ids: tuple[int | None, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedText(Tokens):
    """The tokens of one text, special tokens included.

    Attributes:
        info: token counts, and whether the text was cut.
    """

    info: TextInfo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenEmbeddings(Tokens):
    """The tokens of one text and their vectors.

    Attributes:
        vectors: [T, H] float32, where layers are concatenated [T, layers * H]; [layers, T, H] where several layers are
            kept apart. An array of its own.
        info: token counts, special tokens included, and whether the text was cut.
    """

    vectors: npt.NDArray[np.float32]
    info: TextInfo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordEmbeddings:
    """Words or spans of one text: entry i of each column describes one of them.

    They come in the order of the spans and words asked for, then of the text.

    Attributes:
        vectors: [K, H] float32, where layers are concatenated [K, layers * H]; [layers, K, H] where several layers are
            kept apart. An array of its own.
        words: the text between the offsets.
        spans: (start, end) in the original text, in the offset unit asked for.
        tokens: indices into the text's tokens, special tokens counted.
        queries: index into spans followed by words; where neither was passed, the index of the word.
        occurrences: which occurrence of its word, from 1; 0 for spans.
        truncated: whether a part of the word was cut off with the end of the text.
        info: token counts, special tokens included, and whether the text was cut.
    """

    vectors: npt.NDArray[np.float32]
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    tokens: tuple[tuple[int, ...], ...]
    queries: tuple[int, ...]
    occurrences: tuple[int, ...]
    truncated: tuple[bool, ...]
    info: TextInfo

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passage:
    """One passage of a document, and its vector in the context of the document.

    Attributes:
        text: of the passage.
        span: (start, end) in the document, in code points.
        vector: [H] float32, a view of the row of `PassageEmbeddings.vectors`.
        context: (start, end) of the part of the document that the model read for it; all of it where it fits.
    """

    text: str
    span: tuple[int, int]
    vector: npt.NDArray[np.float32]
    context: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassageEmbeddings:
    """The passages of one document, in the order asked for; iterate over it, or index it, for each as a `Passage`.

    Attributes:
        vectors: [K, H] float32. An array of its own.
        texts: the text of each passage.
        spans: (start, end) of each in the document, in code points.
        contexts: (start, end) of the part of the document that the model read for each; all of it where it fits.
        tokens: number of tokens of the whole document, special tokens included.
    """

    vectors: npt.NDArray[np.float32]
    texts: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    contexts: tuple[tuple[int, int], ...]
    tokens: int

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Passage:
        return Passage(
            text=self.texts[index], span=self.spans[index], vector=self.vectors[index], context=self.contexts[index]
        )

    def __iter__(self) -> Iterator[Passage]:
        return (self[index] for index in range(len(self)))
