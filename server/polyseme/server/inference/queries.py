"""The queries that a caller may send, in the server's own values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from polyseme.runtime.text.offsets import OffsetUnit
from polyseme.runtime.text.tokenizer import Truncate
from polyseme.server.inference.parts.layers import Combine
from polyseme.server.inference.parts.pooling import Subtokens
from polyseme.server.inference.parts.spans import SpanQuery, WordQuery
from polyseme.server.inference.similarity import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """Options that decide how texts become tokens.

    Attributes:
        truncate: the end that is cut where a text has too many tokens.
        add_special_tokens: whether the model's special tokens are put around each text.
        prompt_name: the prompt put before each text; empty: the model's default.
        without_prompt: whether no prompt is put there, not even the model's default.
    """

    truncate: Truncate = Truncate.NONE
    add_special_tokens: bool = True
    prompt_name: str = ""
    without_prompt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerQuery:
    """The layers of which vectors are wanted.

    Attributes:
        layers: numbers from -(L + 1) to L, 0 being the embedding layer; empty: the last, unless `static`.
        static: whether the static embedding stands before them.
        combine: how they are joined; None: as the query does by default.
    """

    layers: Sequence[int] = ()
    static: bool = False
    combine: Combine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedTexts:
    """One vector per text.

    Attributes:
        texts: at least one.
        options: how they become tokens.
        normalize: whether each vector is scaled to length 1; None: as the model does.
        dimensions: number of elements of each vector that are kept; None: all.
        half: whether float16 is enough.
    """

    texts: Sequence[str]
    options: TextOptions
    normalize: bool | None = None
    dimensions: int | None = None
    half: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedTokens:
    """One vector per token of each text.

    Attributes:
        texts: at least one.
        options: how they become tokens.
        layers: the layers of the vectors; kept apart by default.
        include_special_tokens: whether [CLS] and its like get vectors too.
        half: whether float16 is enough.
    """

    texts: Sequence[str]
    options: TextOptions
    layers: LayerQuery
    include_special_tokens: bool = False
    half: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TextParts:
    """The parts of one text of which vectors are wanted; neither spans nor words: every word."""

    spans: Sequence[SpanQuery] = ()
    words: Sequence[WordQuery] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSpans:
    """One vector per span or word of each text.

    Attributes:
        texts: at least one.
        parts: the parts of each text, in the same order; looked at one by one.
        options: how texts become tokens.
        layers: the layers of the vectors; summed by default.
        subtokens: how the tokens of one span become one vector.
        offset_unit: the unit of the offsets of spans.
        normalize: whether each vector is scaled to length 1.
        half: whether float16 is enough.
    """

    texts: Sequence[str]
    parts: Sequence[TextParts]
    options: TextOptions
    layers: LayerQuery
    subtokens: Subtokens = Subtokens.MEAN
    offset_unit: OffsetUnit = OffsetUnit.CODE_POINT
    normalize: bool = False
    half: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A text to compare, or a part of it.

    Attributes:
        text: the whole text.
        part: the part that is compared; None: the whole text.
    """

    text: str
    part: SpanQuery | WordQuery | None = None


class CompareMode(Enum):
    """The pairs of operands that are compared."""

    MATRIX = "matrix"
    PAIRWISE = "pairwise"
    TOP_K = "top_k"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """The similarity of operands.

    Attributes:
        a: at least one.
        b: the operands that a is compared with; empty: a itself.
        options: how texts become tokens.
        metric: the similarity or distance.
        mode: the pairs that are compared.
        top_k: number of closest operands of b for each of a; TOP_K alone.
        layers: the layers of the vectors of parts; summed by default.
        subtokens: how the tokens of one part become one vector.
        offset_unit: the unit of the offsets of parts.
    """

    a: Sequence[Operand]
    b: Sequence[Operand]
    options: TextOptions
    metric: Metric = Metric.COSINE
    mode: CompareMode = CompareMode.MATRIX
    top_k: int = 0
    layers: LayerQuery = field(default_factory=LayerQuery)
    subtokens: Subtokens = Subtokens.MEAN
    offset_unit: OffsetUnit = OffsetUnit.CODE_POINT


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenize:
    """The tokens that the model would see of each text."""

    texts: Sequence[str]
    options: TextOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Decode:
    """The text of token ids.

    Attributes:
        ids: of the model's vocabulary.
        skip_special_tokens: whether [CLS] and its like are left out.
    """

    ids: Sequence[int]
    skip_special_tokens: bool = False
