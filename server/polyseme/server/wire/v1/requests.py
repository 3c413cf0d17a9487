"""Request messages of the contract become queries: one function per message.

Lists are counted before anything is made of their entries; what may be long is converted where it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, overload

from polyseme.runtime.text.offsets import OffsetUnit
from polyseme.server.inference.comparison import check_operand_count
from polyseme.server.inference.parts.spans import SpanQuery, WordQuery
from polyseme.server.inference.queries import (
    Compare,
    EmbedSpans,
    EmbedTexts,
    EmbedTokens,
    LayerQuery,
    Operand,
    TextOptions,
    TextParts,
    Tokenize,
)
from polyseme.server.inference.validation import Limits, check_count
from polyseme.server.scheduling import Priority
from polyseme.server.wire.messages.tensors import WireType
from polyseme.server.wire.v1 import enums
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as pb

M = TypeVar("M")
V = TypeVar("V")


def embed_texts(message: pb.EmbedRequest, dtype: WireType) -> EmbedTexts:
    """Convert EmbedRequest."""
    return EmbedTexts(
        texts=message.texts,
        options=text_options(message.text_options),
        normalize=message.normalize if message.HasField("normalize") else None,
        dimensions=message.dimensions if message.HasField("dimensions") else None,
        half=dtype is WireType.FLOAT16,
    )


def embed_tokens(message: pb.EmbedTokensRequest, dtype: WireType) -> EmbedTokens:
    """Convert EmbedTokensRequest."""
    return EmbedTokens(
        texts=message.texts,
        options=text_options(message.text_options),
        layers=layers(message.layers),
        include_special_tokens=message.include_special_tokens,
        half=dtype is WireType.FLOAT16,
    )


def embed_spans(message: pb.EmbedSpansRequest, dtype: WireType, limits: Limits) -> EmbedSpans:
    """Convert EmbedSpansRequest.

    Raises:
        InvalidInputError: too many inputs, or an enum's number is unknown.
    """
    check_count(len(message.inputs), limits, "inputs")
    return EmbedSpans(
        texts=[one.text for one in message.inputs],
        parts=_Converted(message.inputs, _text_parts),
        options=text_options(message.text_options),
        layers=layers(message.layers),
        subtokens=enums.known(enums.SUBTOKENS, message.subtokens, ("subtokens",)),
        offset_unit=offset_unit(message.offset_unit),
        normalize=message.normalize,
        half=dtype is WireType.FLOAT16,
    )


def compare(message: pb.SimilarityRequest, limits: Limits) -> Compare:
    """Convert SimilarityRequest.

    Raises:
        InvalidInputError: no operands, too many, or an enum's number is unknown.
    """
    check_operand_count(len(message.a), len(message.b), limits.max_texts)
    return Compare(
        a=[_operand(one) for one in message.a],
        b=[_operand(one) for one in message.b],
        options=text_options(message.text_options),
        metric=enums.known(enums.METRIC, message.metric, ("metric",)),
        mode=enums.known(enums.MODE, message.mode, ("mode",)),
        top_k=message.top_k,
        layers=layers(message.layers),
        subtokens=enums.known(enums.SUBTOKENS, message.subtokens, ("subtokens",)),
        offset_unit=offset_unit(message.offset_unit),
    )


def tokenize(message: pb.TokenizeRequest) -> Tokenize:
    """Convert TokenizeRequest."""
    return Tokenize(texts=message.texts, options=text_options(message.text_options))


def text_options(message: common_pb2.TextOptions) -> TextOptions:
    """Convert TextOptions."""
    return TextOptions(
        truncate=enums.known(enums.TRUNCATE, message.truncate, ("text_options", "truncate")),
        add_special_tokens=message.add_special_tokens if message.HasField("add_special_tokens") else True,
        prompt_name=message.prompt_name,
        without_prompt=message.without_prompt,
    )


def layers(message: common_pb2.LayerSelection) -> LayerQuery:
    """Convert LayerSelection."""
    return LayerQuery(
        layers=message.layers,
        static=message.static_embedding,
        combine=enums.known(enums.COMBINE, message.combine, ("layers", "combine")),
    )


def priority(number: common_pb2.Priority.ValueType) -> Priority:
    """Convert Priority."""
    return enums.known(enums.PRIORITY, number, ("priority",))


def wire_type(number: tensor_pb2.DataType.ValueType) -> WireType:
    """Convert the DataType that a request asks for."""
    return enums.known(enums.WIRE_TYPE, number, ("dtype",))


def offset_unit(number: common_pb2.OffsetUnit.ValueType) -> OffsetUnit:
    """Convert OffsetUnit."""
    return enums.known(enums.OFFSET_UNIT, number, ("offset_unit",))


def _operand(message: pb.Operand) -> Operand:
    match message.WhichOneof("part"):
        case "span":
            return Operand(text=message.text, part=_span(message.span))
        case "word":
            return Operand(text=message.text, part=_word(message.word))
        case _:
            return Operand(text=message.text)


def _text_parts(message: pb.SpanInput) -> TextParts:
    return TextParts(spans=_Converted(message.spans, _span), words=_Converted(message.words, _word))


def _span(message: common_pb2.Span) -> SpanQuery:
    return SpanQuery(start=message.start, end=message.end)


def _word(message: common_pb2.WordQuery) -> WordQuery:
    return WordQuery(
        text=message.text,
        occurrence=message.occurrence,
        partial_word=message.partial_word,
        ignore_case=message.ignore_case,
    )


class _Converted(Sequence[V]):
    """Messages of a list, each converted when it is looked at: on a tokenizer thread, after all have been counted."""

    def __init__(self, messages: Sequence[M], convert: Callable[[M], V]) -> None:
        self._messages = messages
        self._convert: Callable[..., V] = convert

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, index: int) -> V: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[V]: ...
    def __getitem__(self, index: int | slice) -> V | Sequence[V]:
        if isinstance(index, slice):
            return _Converted(self._messages[index], self._convert)
        return self._convert(self._messages[index])
