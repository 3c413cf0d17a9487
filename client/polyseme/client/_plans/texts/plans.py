"""embed and tokenize, as plans. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from polyseme.client._arguments.texts import Texts, as_list, utf8_sizes
from polyseme.client._convert.offsets import length_of
from polyseme.client._convert.replies import EmbeddingsAssembler, no_embeddings, tokenized_texts
from polyseme.client._convert.requests import embed_request, make_bulk, tokenize_request
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.features import require_features
from polyseme.client._plans.progress import progress_bar
from polyseme.client._plans.texts.sending import TEXT_INFO_BYTES, TextCalls, send_texts
from polyseme.client._transport.rpc import EMBED, TOKENIZE, Plan, decode
from polyseme.client.errors import PolysemeError
from polyseme.client.options import Dtype, EmbedOptions, OffsetUnit, TextOptions
from polyseme.client.results import EmbedResult, TokenizedText
from polyseme.v1 import embedding_service_pb2 as service_pb2

_ELEMENT_BITS: Final = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "binary": 1}
_ROW_BYTES: Final = 8  # a row's scale, or its padding to whole bytes
_TOKEN_BYTES: Final = 40  # of one token in a Tokenize reply: id, text, offsets, word, special
_ADDED_TOKENS: Final = 64  # special tokens, and those of a prompt


def plan_embed(defaults: Defaults, texts: Texts, dtype: Dtype, options: EmbedOptions) -> Plan[EmbedResult]:
    """Plan `Client.embed_detailed`."""
    listed, single = as_list(texts)
    sizes = utf8_sizes(listed)
    request = embed_request(options, model=defaults.model_name(options), dtype=dtype)
    timeout, row_bytes = defaults.timeout(options), _ROW_BYTES + TEXT_INFO_BYTES
    yield from require_features(defaults, request, request.model.name, timeout)
    if not listed:
        name = request.model.name
        return no_embeddings(defaults.catalog.known(name) or (yield from defaults.catalog.get(name, timeout)), request)
    assembler = EmbeddingsAssembler(len(listed), request)
    with progress_bar(len(listed), enabled=options.get("progress", False)) as advance:

        def receive(rows: range, reply: bytes) -> None:
            assembler.receive(rows, reply)
            advance(len(rows))

        calls = TextCalls(
            path=EMBED,
            model=request.model.name,
            timeout=timeout,
            text_bytes=sizes,
            overhead_bytes=request.ByteSize(),
            encode=_encode_embed(request, listed),
            receive=receive,
            reply_bytes=lambda model, _: model.dimensions * _ELEMENT_BITS[dtype] // 8 + row_bytes,
        )
        try:
            yield from send_texts(calls, defaults.catalog)
        except PolysemeError as error:
            error.partial = assembler.partial()
            raise
    return assembler.result(single=single)


def plan_tokenize(
    defaults: Defaults, texts: Texts, offset_unit: OffsetUnit, options: TextOptions
) -> Plan[tuple[list[TokenizedText], bool]]:
    """Plan `Client.tokenize`: the tokens of each text, and whether a single `str` was passed."""
    listed, single = as_list(texts)
    sizes = utf8_sizes(listed)
    request = tokenize_request(options, model=defaults.model_name(options), offset_unit=offset_unit)
    timeout = defaults.timeout(options)
    yield from require_features(defaults, request, request.model.name, timeout)
    collected: list[TokenizedText] = []
    if not listed:
        return collected, single
    lengths = [length_of(text, request.offset_unit) for text in listed]

    def receive(rows: range, reply: bytes) -> None:
        collected.extend(tokenized_texts(decode(service_pb2.TokenizeResponse, reply), lengths[rows.start : rows.stop]))

    calls = TextCalls(
        path=TOKENIZE,
        model=request.model.name,
        timeout=timeout,
        text_bytes=sizes,
        overhead_bytes=request.ByteSize(),
        encode=_encode_tokenize(request, listed),
        receive=receive,
        reply_bytes=lambda _, size: (size + _ADDED_TOKENS) * _TOKEN_BYTES + TEXT_INFO_BYTES,
    )
    try:
        yield from send_texts(calls, defaults.catalog)
    except PolysemeError as error:
        error.partial = collected or None
        raise
    return collected, single


def _encode_embed(options: service_pb2.EmbedRequest, texts: Sequence[str]) -> Callable[[range, bool], bytes]:
    def encode(rows: range, several: bool) -> bytes:
        request = service_pb2.EmbedRequest(texts=texts[rows.start : rows.stop])
        request.MergeFrom(options)
        if several:
            make_bulk(request)
        return request.SerializeToString()

    return encode


def _encode_tokenize(options: service_pb2.TokenizeRequest, texts: Sequence[str]) -> Callable[[range, bool], bytes]:
    def encode(rows: range, _: bool) -> bytes:
        request = service_pb2.TokenizeRequest(texts=texts[rows.start : rows.stop])
        request.MergeFrom(options)
        return request.SerializeToString()

    return encode
