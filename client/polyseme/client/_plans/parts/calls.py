"""Describe embed_tokens and embed_words as PartsCalls: EmbedTokens and EmbedSpans on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from polyseme.client._arguments.layers import LayerChoice
from polyseme.client._arguments.texts import utf8_sizes
from polyseme.client._convert.chunks import AssembledText, ChunkEntry
from polyseme.client._convert.offsets import check_offsets, length_of
from polyseme.client._convert.replies import text_info_from, token_columns
from polyseme.client._plans.parts.sending import PartsCall
from polyseme.client._transport.rpc import EMBED_SPANS, EMBED_TOKENS
from polyseme.client.results import TextInfo, TokenEmbeddings, WordEmbeddings
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2

_ELEMENT_BYTES: Final = {
    tensor_pb2.DATA_TYPE_FLOAT32: 4,
    tensor_pb2.DATA_TYPE_FLOAT16: 2,
    tensor_pb2.DATA_TYPE_BFLOAT16: 2,
    tensor_pb2.DATA_TYPE_INT8: 1,
}

TokenRow: TypeAlias = tuple[Any, ...]
"""One token: an entry of each column of Tokens."""
_TOKEN_COLUMNS: Final = ("ids", "tokens", "offsets", "word_ids", "special")


def tokens_call(
    texts: Sequence[str],
    options: service_pb2.EmbedTokensRequest,
    layers: LayerChoice,
    *,
    timeout: float | None,
    target: str,
) -> PartsCall[TokenRow, TokenEmbeddings]:
    """Describe a call for every token of each text."""
    sizes = utf8_sizes(texts)

    def make_request(rows: range) -> service_pb2.EmbedTokensRequest:
        message = service_pb2.EmbedTokensRequest(texts=texts[rows.start : rows.stop])
        message.MergeFrom(options)
        return message

    return PartsCall(
        stream_field="tokens",
        path=EMBED_TOKENS,
        reply_type=service_pb2.EmbedTokensResponse,
        make_request=make_request,
        read_entry=_token_entry,
        make_result=_token_embeddings,
        length_of=lambda index: length_of(texts[index], options.offset_unit),
        dtype=options.dtype,
        text_bytes=sizes,
        request_bytes=sizes,
        separate_layers=layers.separate,
        vector_bytes=layers.width_factor * _ELEMENT_BYTES[options.dtype],
        model=options.model.name,
        timeout=timeout,
        target=target,
    )


def spans_call(
    inputs: Sequence[service_pb2.SpanInput],
    options: service_pb2.EmbedSpansRequest,
    layers: LayerChoice,
    *,
    timeout: float | None,
    target: str,
) -> PartsCall[service_pb2.EmbeddedSpan, WordEmbeddings]:
    """Describe a call for words or spans of each text."""

    def make_request(rows: range) -> service_pb2.EmbedSpansRequest:
        message = service_pb2.EmbedSpansRequest(inputs=inputs[rows.start : rows.stop])
        message.MergeFrom(options)
        return message

    return PartsCall(
        stream_field="spans",
        path=EMBED_SPANS,
        reply_type=service_pb2.EmbedSpansResponse,
        make_request=make_request,
        read_entry=_span_entry,
        make_result=_word_embeddings,
        length_of=lambda index: length_of(inputs[index].text, options.offset_unit),
        dtype=options.dtype,
        text_bytes=[len(text.text.encode()) for text in inputs],
        request_bytes=[text.ByteSize() for text in inputs],
        separate_layers=layers.separate,
        vector_bytes=layers.width_factor * _ELEMENT_BYTES[options.dtype],
        model=options.model.name,
        timeout=timeout,
        target=target,
    )


def _token_entry(entry: service_pb2.TokenEmbeddings) -> ChunkEntry[TokenRow]:
    columns = token_columns(entry.tokens)
    rows = list(zip(*(columns[name] for name in _TOKEN_COLUMNS), strict=True))
    return ChunkEntry(columns=rows, vectors=entry.vectors, info=_info(entry))


def _token_embeddings(text: AssembledText[TokenRow], length: int) -> TokenEmbeddings:
    columns = zip(*text.columns, strict=True) if text.columns else ((),) * len(_TOKEN_COLUMNS)
    named: dict[str, Any] = dict(zip(_TOKEN_COLUMNS, columns, strict=True))
    check_offsets(named["offsets"], length)
    return TokenEmbeddings(**named, vectors=text.vectors, info=text.info)


def _span_entry(entry: service_pb2.SpanEmbeddings) -> ChunkEntry[service_pb2.EmbeddedSpan]:
    return ChunkEntry(columns=entry.spans, vectors=entry.vectors, info=_info(entry))


def _word_embeddings(text: AssembledText[service_pb2.EmbeddedSpan], length: int) -> WordEmbeddings:
    found = text.columns
    spans = tuple((span.span.start, span.span.end) for span in found)
    check_offsets(spans, length)
    return WordEmbeddings(
        vectors=text.vectors,
        words=tuple(span.text for span in found),
        spans=spans,
        tokens=tuple(tuple(span.tokens) for span in found),
        queries=tuple(span.query for span in found),
        occurrences=tuple(span.occurrence for span in found),
        truncated=tuple(span.truncated for span in found),
        info=text.info,
    )


def _info(entry: service_pb2.TokenEmbeddings | service_pb2.SpanEmbeddings) -> TextInfo | None:
    info: common_pb2.TextInfo = entry.info
    return text_info_from(info) if entry.HasField("info") else None
