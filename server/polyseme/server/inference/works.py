"""From requests to Work: what EmbedTokens, EmbedSpans and Similarity over parts of texts have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyseme.runtime.text.tokenizer import TokenizedText
from polyseme.server.config import ServerConfig
from polyseme.server.engine.runner import Wanted
from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.layers import Combine
from polyseme.server.inference.pieces import Piece, Work
from polyseme.server.inference.pooling import pooled
from polyseme.server.inference.spans import LocatedSpan, locate, locate_one
from polyseme.server.inference.validation import check_texts
from polyseme.server.models.served import Namer, ServedModel, Terms
from polyseme.server.observe.stopwatch import Stopwatch
from polyseme.server.wire.tensors import WireType
from polyseme.server.wire.v1 import convert
from polyseme.v1 import embedding_service_pb2 as pb

_MOST_SPAN_TEXT = 1 << 20  # characters that the spans of one text may repeat in the reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a request runs in."""

    model: ServedModel
    config: ServerConfig
    terms: Terms
    watch: Stopwatch


def token_work(request: pb.EmbedTokensRequest, context: Context) -> Work:
    """Every token of each text."""
    model = context.model
    mix = convert.layers(request.layers, Combine.NONE, model.spec.num_hidden_layers)
    unit = convert.offset_unit(request.offset_unit)
    check_texts(request.texts, context.config)

    def build(index: int, text: str, tokens: TokenizedText) -> Piece:
        model.refuse_unfit(tokens, f"texts[{index}]")
        keep = [i for i, special in enumerate(tokens.special) if request.include_special_tokens or not special]
        part = pb.TokenEmbeddings(tokens=convert.tokens(text, tokens, unit, keep), info=convert.text_info(tokens))
        return Piece(index, tokens.ids, Wanted(np.array(keep, dtype=np.int32)), part)

    return Work(
        model=model,
        texts=request.texts,
        build=build,
        mix=mix,
        options=convert.text_options(request.text_options),
        terms=context.terms,
        dtype=convert.wire_type(request.dtype),
        normalize=False,
        watch=context.watch,
    )


def span_work(request: pb.EmbedSpansRequest, context: Context) -> Work:
    """Words or spans of each text."""
    model, config = context.model, context.config
    mix = convert.layers(request.layers, Combine.SUM, model.spec.num_hidden_layers)
    subtokens = convert.subtokens(request.subtokens)
    unit = convert.offset_unit(request.offset_unit)
    texts = [one.text for one in request.inputs]
    check_texts(texts, config, "inputs")

    def build(index: int, text: str, tokens: TokenizedText) -> Piece:
        at, asked = f"inputs[{index}]", request.inputs[index]
        model.refuse_unfit(tokens, at)
        located = locate(
            text,
            tokens,
            spans=[convert.span(one) for one in asked.spans],
            words=[convert.word(one) for one in asked.words],
            unit=unit,
            limit=config.max_spans,
            at=at,
        )
        _refuse_long(located, at)
        part = pb.SpanEmbeddings(spans=convert.embedded_spans(text, located, unit), info=convert.text_info(tokens))
        return Piece(index, tokens.ids, pooled([one.tokens for one in located], subtokens), part)

    return Work(
        model=model,
        texts=texts,
        build=build,
        mix=mix,
        options=convert.text_options(request.text_options),
        terms=context.terms,
        dtype=convert.wire_type(request.dtype),
        normalize=request.normalize,
        watch=context.watch,
    )


def part_work(request: pb.SimilarityRequest, places: Sequence[Sequence[int]], at: Namer, context: Context) -> Work:
    """Parts of texts that are operands of Similarity.

    Args:
        request: a, then b, are its operands.
        places: per text the indices of the operands that are parts of it; one vector for each, in this order.
        at: what messages call operand i.
        context: of the call.
    """
    model, operands = context.model, [*request.a, *request.b]
    mix = convert.layers(request.layers, Combine.SUM, model.spec.num_hidden_layers)
    if mix.apart:
        raise InvalidInputError(
            f"layers.combine: none keeps {len(mix.weights)} layers apart; similarity compares one vector"
        )
    subtokens = convert.subtokens(request.subtokens)
    unit = convert.offset_unit(request.offset_unit)

    def build(index: int, text: str, tokens: TokenizedText) -> Piece:
        model.refuse_unfit(tokens, at(places[index][0]))
        located = []
        for place in places[index]:
            operand = operands[place]
            part = convert.span(operand.span) if operand.HasField("span") else convert.word(operand.word)
            located.append(locate_one(text, tokens, part, unit=unit, at=at(place)))
        info = pb.SpanEmbeddings(info=convert.text_info(tokens))
        return Piece(index, tokens.ids, pooled([one.tokens for one in located], subtokens), info)

    return Work(
        model=model,
        texts=[operands[group[0]].text for group in places],
        build=build,
        mix=mix,
        options=convert.text_options(request.text_options),
        terms=context.terms,
        dtype=WireType.FLOAT32,
        normalize=False,
        watch=context.watch,
    )


def _refuse_long(located: Sequence[LocatedSpan], at: str) -> None:
    """Many spans over one long text would repeat it many times."""
    characters = sum(one.end - one.start for one in located)
    if characters > _MOST_SPAN_TEXT:
        raise InvalidInputError(f"{at}: its spans have {characters} characters in all; limit {_MOST_SPAN_TEXT}")
