"""What EmbedTokens and EmbedSpans ask for and give, as Subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from polyseme.client._arguments.layers import Selection
from polyseme.client._arguments.texts import utf8_sizes
from polyseme.client._convert.chunks import Part, Whole
from polyseme.client._convert.replies import text_info_from, token_columns
from polyseme.client._plans.contextual import Subject
from polyseme.client._transport.rpc import EMBED_SPANS, EMBED_TOKENS
from polyseme.client.results import TextInfo, TokenEmbeddings, WordEmbeddings
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2

ITEM_BYTES: Final = {
    tensor_pb2.DATA_TYPE_FLOAT32: 4,
    tensor_pb2.DATA_TYPE_FLOAT16: 2,
    tensor_pb2.DATA_TYPE_BFLOAT16: 2,
    tensor_pb2.DATA_TYPE_INT8: 1,
}

TokenRow: TypeAlias = tuple[Any, ...]  # one token: an entry of each column of Tokens
_TOKEN_COLUMNS: Final = ("ids", "tokens", "offsets", "word_ids", "special")


def token_subject(
    texts: Sequence[str],
    options: service_pb2.EmbedTokensRequest,
    layers: Selection,
    *,
    timeout: float | None,
    target: str,
) -> Subject[TokenRow, TokenEmbeddings]:
    """Every token of each text."""
    sizes = utf8_sizes(texts)

    def request(rows: range) -> service_pb2.EmbedTokensRequest:
        message = service_pb2.EmbedTokensRequest(texts=texts[rows.start : rows.stop])
        message.MergeFrom(options)
        return message

    return Subject(
        kind="tokens",
        path=EMBED_TOKENS,
        reply_type=service_pb2.EmbedTokensResponse,
        request=request,
        part=_token_part,
        result=_token_embeddings,
        text_bytes=sizes,
        asked_bytes=sizes,
        apart=layers.apart,
        vector_bytes=layers.widths * ITEM_BYTES[options.dtype],
        model=options.model.name,
        timeout=timeout,
        target=target,
    )


def span_subject(
    inputs: Sequence[service_pb2.SpanInput],
    options: service_pb2.EmbedSpansRequest,
    layers: Selection,
    *,
    timeout: float | None,
    target: str,
) -> Subject[service_pb2.EmbeddedSpan, WordEmbeddings]:
    """Words or spans of each text."""

    def request(rows: range) -> service_pb2.EmbedSpansRequest:
        message = service_pb2.EmbedSpansRequest(inputs=inputs[rows.start : rows.stop])
        message.MergeFrom(options)
        return message

    return Subject(
        kind="spans",
        path=EMBED_SPANS,
        reply_type=service_pb2.EmbedSpansResponse,
        request=request,
        part=_span_part,
        result=_word_embeddings,
        text_bytes=[len(one.text.encode()) for one in inputs],
        asked_bytes=[one.ByteSize() for one in inputs],
        apart=layers.apart,
        vector_bytes=layers.widths * ITEM_BYTES[options.dtype],
        model=options.model.name,
        timeout=timeout,
        target=target,
    )


def _token_part(entry: service_pb2.TokenEmbeddings) -> Part[TokenRow]:
    columns = token_columns(entry.tokens)
    rows = list(zip(*(columns[name] for name in _TOKEN_COLUMNS), strict=True))
    return Part(columns=rows, vectors=entry.vectors, info=_info(entry))


def _token_embeddings(whole: Whole[TokenRow]) -> TokenEmbeddings:
    columns = zip(*whole.columns, strict=True) if whole.columns else ((),) * len(_TOKEN_COLUMNS)
    named: dict[str, Any] = dict(zip(_TOKEN_COLUMNS, columns, strict=True))
    return TokenEmbeddings(**named, vectors=whole.vectors, info=whole.info)


def _span_part(entry: service_pb2.SpanEmbeddings) -> Part[service_pb2.EmbeddedSpan]:
    return Part(columns=entry.spans, vectors=entry.vectors, info=_info(entry))


def _word_embeddings(whole: Whole[service_pb2.EmbeddedSpan]) -> WordEmbeddings:
    found = whole.columns
    return WordEmbeddings(
        vectors=whole.vectors,
        words=tuple(one.text for one in found),
        spans=tuple((one.span.start, one.span.end) for one in found),
        tokens=tuple(tuple(one.tokens) for one in found),
        queries=tuple(one.query for one in found),
        occurrences=tuple(one.occurrence for one in found),
        truncated=tuple(one.truncated for one in found),
        info=whole.info,
    )


def _info(entry: service_pb2.TokenEmbeddings | service_pb2.SpanEmbeddings) -> TextInfo | None:
    info: common_pb2.TextInfo = entry.info
    return text_info_from(info) if entry.HasField("info") else None
