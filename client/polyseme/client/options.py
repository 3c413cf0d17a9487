"""The options that calls take, described once for both clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict

from polyseme.client.words import Word

Dtype: TypeAlias = Literal["float32", "float16", "bfloat16", "int8", "binary"]
"""The element type in which vectors travel."""
FloatDtype: TypeAlias = Literal["float32", "float16", "bfloat16", "int8"]
"""The element types whose vectors arrive as float32."""
Metric: TypeAlias = Literal["cosine", "dot", "euclidean", "manhattan", "model"]
"""The measure of similarity: the cosine, in [-1, 1]; the inner product; the Euclidean or the Manhattan distance, of
which smaller is closer; "model": the one of these that the model's authors mean, `Model.similarity`."""
OffsetUnit: TypeAlias = Literal["code_point", "utf8_byte", "utf16_code_unit"]
"""The unit of offsets into a text; indices of a Python `str` are code points."""
Priority: TypeAlias = Literal["interactive", "bulk"]
"""The class in which the server schedules a call: bulk runs after interactive, but is never starved by it."""
Layers: TypeAlias = int | Literal["static"] | Sequence[int | Literal["static"]]
"""Layers of a model: 0 is the embedding layer, 1 to L are the encoder's, -1 is layer L. "static", valid as the first
entry, is the row of the word-embedding table, which knows no context."""
Combine: TypeAlias = Literal["none", "sum", "mean", "concat"]
"""The way in which several layers become one vector; "none" keeps them apart, on an axis of their own."""
Subtokens: TypeAlias = Literal["first", "last", "first_last", "mean"]
"""The way in which the tokens of a word become one vector; "first_last": the mean of these two."""
OnError: TypeAlias = Literal["raise", "return"]
"""The treatment of a text that the server refuses: raise the error, or give it in place of the text's vector."""
Truncate: TypeAlias = Literal["none", "end", "start"]
"""The end at which a text that is too long is cut; "none": such a text is an InvalidArgumentError."""


LongTexts: TypeAlias = Literal["refuse", "longest_first", "only_second", "windows"]
"""The treatment of inputs that are too long: refused; cut at the ends of both texts of a pair, the longer one first, or
of the second alone; or run in windows that overlap. A text alone is cut at its end."""
Aggregation: TypeAlias = Literal["none", "simple", "first", "average", "max"]
"""The way in which labels of tokens become entities, as transformers' pipeline names them."""


class CallOptions(TypedDict, total=False):
    """Options of every call.

    Attributes:
        model: NAME or NAME@VERSION of the model; default: the client's, else the server's default model.
        timeout: seconds for each call to the server, default: the client's; math.inf: no limit. A long list of texts is
            split into several calls.
    """

    model: str | None
    timeout: float | None


class TextOptions(CallOptions, total=False):
    """Options of calls that tokenize: how texts become tokens.

    Attributes:
        truncate: the end at which to cut texts that are too long, "end" or "start"; default "none": refuse them.
        prompt_name: the model's prompt to put before each text; default: the model's default prompt, if any.
        without_prompt: whether to put no prompt before a text, not even the model's default prompt; default: no.
        add_special_tokens: whether to put [CLS] ... [SEP] around each text; default: yes.
    """

    truncate: Truncate
    prompt_name: str | None
    without_prompt: bool
    add_special_tokens: bool | None


class TokenOptions(TextOptions, total=False):
    """Options that embed_tokens and embed_words share.

    Attributes:
        priority: "interactive" or "bulk"; default: bulk where the list needs several requests, else interactive.
        progress: whether to show a progress bar on stderr, default: no; needs `pip install 'polyseme[cli]'`.
    """

    priority: Priority
    progress: bool


class EmbedTokensOptions(TokenOptions, total=False):
    """Options of embed_tokens: how the tokens of each text become vectors.

    Attributes:
        layers: one layer, or several in the order asked for; default: the last.
        combine: how several layers become one vector; "none" (default) keeps them apart.
        dtype: element type in which vectors travel, default "float32"; they arrive as float32.
        include_special_tokens: whether [CLS], [SEP] and the like are part of the result; default: no.
        offset_unit: unit of the offsets in the result; "code_point" (default) fits Python's str.
    """

    layers: Layers
    combine: Combine
    dtype: FloatDtype
    include_special_tokens: bool
    offset_unit: OffsetUnit


class EmbedWordsOptions(TokenOptions, total=False):
    """Options of embed_words: which words of each text become vectors, and how.

    Attributes:
        words: words to find in every text; a str means all of its occurrences; default: every word of the text.
        layers: one layer, or several in the order asked for; default: the last.
        combine: how several layers become one vector, "sum" (default), "mean" or "concat"; "none" keeps them apart.
        subtokens: how the tokens of a word become one vector; default "mean".
        normalize: whether vectors are scaled to length 1; default: no.
        dtype: element type in which vectors travel, default "float32"; they arrive as float32.
        offset_unit: unit of the offsets in spans and in the result; "code_point" (default) fits Python's str.
    """

    words: str | Word | Sequence[str | Word] | None
    layers: Layers
    combine: Combine
    subtokens: Subtokens
    normalize: bool
    dtype: FloatDtype
    offset_unit: OffsetUnit


class EmbedPassagesOptions(CallOptions, total=False):
    """Options of embed_passages: how the passages of each document become vectors.

    Attributes:
        overlap: where a document is longer than the model takes: least number of tokens before a passage that the model
            reads with it; default: a quarter of the tokens that the model takes.
        normalize: whether to scale vectors to length 1; default: as the model was trained.
        dtype: element type in which vectors travel, default "float32"; they arrive as float32.
        prompt_name: the model's prompt to put before each document; default: the model's default prompt, if any.
        without_prompt: whether to put no prompt before a document, not even the model's default prompt; default: no.
        priority: "interactive" or "bulk"; default: bulk where the list needs several requests, else interactive.
        progress: whether to show a progress bar on stderr, default: no; needs `pip install 'polyseme[cli]'`.
    """

    overlap: int | None
    normalize: bool | None
    dtype: FloatDtype
    prompt_name: str | None
    without_prompt: bool
    priority: Priority
    progress: bool


class SimilarityOptions(TextOptions, total=False):
    """Options of the similarity calls: how texts, or parts of texts, are compared.

    The last four are for parts of texts.

    Attributes:
        metric: "cosine" (default), "dot", "euclidean" or "manhattan"; "model": as the model's authors mean it.
        priority: "interactive" (default) or "bulk".
        layers: layers of the vectors; default: the last.
        combine: how several layers become one vector: "sum" (default), "mean" or "concat".
        subtokens: how the tokens of a part become one vector: "mean" (default), "first", "last" or "first_last".
        offset_unit: unit of the offsets in spans; "code_point" (default) fits Python's str.
    """

    metric: Metric
    priority: Priority
    layers: Layers
    combine: Combine
    subtokens: Subtokens
    offset_unit: OffsetUnit


class EmbedOptions(TextOptions, total=False):
    """Options of embed: how texts become vectors.

    Attributes:
        normalize: whether to scale vectors to length 1; default: as the model was trained.
        dimensions: number of leading elements of each vector to keep; default: all.
        priority: "interactive" or "bulk"; default: bulk where the list needs several requests, else interactive.
        progress: whether to show a progress bar on stderr, default: no; needs `pip install 'polyseme[cli]'`.
    """

    normalize: bool | None
    dimensions: int | None
    priority: Priority
    progress: bool


class EmbedStreamOptions(TextOptions, total=False):
    """Options of embed_stream: how a stream of texts becomes vectors.

    `timeout` is in seconds for each reply; nothing limits the time of the whole stream.

    Attributes:
        normalize: whether to scale vectors to length 1; default: as the model was trained.
        dimensions: number of leading elements of each vector to keep; default: all.
        priority: "bulk" (default) or "interactive".
        progress: whether to show a progress bar on stderr, default: no; needs `pip install 'polyseme[cli]'`.
        total: number of texts to come, for the progress bar; default: the length of texts, if it has one.
    """

    normalize: bool | None
    dimensions: int | None
    priority: Priority
    progress: bool
    total: int | None


class PredictionOptions(CallOptions, total=False):
    """Options of the calls that predict.

    Attributes:
        head: the name of the model's head; default: its only one of the kind.
        long_texts: what becomes of inputs that are too long; default "refuse".
        overlap: tokens that a window has in common with the one before it; default: a quarter of the model's limit.
        priority: "interactive" or "bulk"; default: bulk where the list needs several requests, else interactive.
    """

    head: str | None
    long_texts: LongTexts
    overlap: int | None
    priority: Priority


class SpanOptions(PredictionOptions, total=False):
    """Options of the calls that predict spans.

    Attributes:
        offset_unit: unit of the offsets in the result; "code_point" (default) fits Python's str.
    """

    offset_unit: OffsetUnit
