"""classify, entities, answer and rerank, as plans. No I/O."""

from __future__ import annotations

from typing import Any, Final

from polyseme.client._arguments.flags import flag
from polyseme.client._arguments.integers import unsigned
from polyseme.client._arguments.pairs import TextsOrPairs, as_pairs, pair_sizes
from polyseme.client._arguments.texts import Texts, as_list, utf8_size, utf8_sizes
from polyseme.client._convert.enums import enum_value
from polyseme.client._convert.offsets import length_of
from polyseme.client._convert.predictions import (
    answered,
    classifications,
    offset_unit,
    prediction_fields,
    ranked,
    tagged_texts,
)
from polyseme.client._convert.requests import check_names
from polyseme.client._plans.catalog import Catalog
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.texts.sending import TextCalls, send_texts
from polyseme.client._transport.rpc import ANSWER, CLASSIFY, RERANK, TAG_TOKENS, Plan, ask, decode
from polyseme.client.errors import InvalidArgumentError, InvalidReplyError, ModelChangedError, PolysemeError
from polyseme.client.models import Head, Model
from polyseme.client.options import Aggregation, PredictionOptions, SpanOptions
from polyseme.client.predictions import Answered, Classification, Ranked, TaggedText
from polyseme.v1 import common_pb2
from polyseme.v1 import prediction_service_pb2 as pb

_INFO_BYTES: Final = 64  # of what is said of one input
_SPAN_BYTES: Final = 64  # of one span, without its text
_PAIR: Final = ("first", "second")


def plan_classify(
    defaults: Defaults, texts: TextsOrPairs, options: PredictionOptions
) -> Plan[tuple[list[Classification], bool]]:
    """Plan `Client.classify`: what each is, and whether a single one was passed."""
    check_names(options, PredictionOptions)
    listed, are_pairs, single = as_pairs(texts)
    sizes = [sum(pair) for pair in pair_sizes(listed, "texts", _PAIR)] if are_pairs else utf8_sizes(listed)
    fields = prediction_fields(options, defaults.model_name(options))
    collected: list[Classification] = []

    def encode(rows: range, several: bool) -> bytes:
        some = listed[rows.start : rows.stop]
        request = pb.ClassifyRequest(**_prioritized(fields, several=several))
        if are_pairs:
            request.pairs.extend(pb.TextPair(first=first, second=second) for first, second in some)
        else:
            request.texts.extend(some)
        return request.SerializeToString()

    if listed:
        heads = _Heads(defaults.catalog, defaults.model_name(options), defaults.timeout(options))
        yield from heads.ask()

        def receive(rows: range, reply: bytes) -> None:
            message = decode(pb.ClassifyResponse, reply)
            collected.extend(classifications(message, len(rows), heads.head(message.model.version, message.head)))

        labels = max((len(head.labels) for head in heads.model.heads), default=1)
        calls = TextCalls(
            path=CLASSIFY,
            model=heads.name,
            timeout=heads.timeout,
            text_bytes=sizes,
            overhead_bytes=pb.ClassifyRequest(**fields).ByteSize(),
            encode=encode,
            receive=receive,
            reply_bytes=lambda _, __: 4 * labels + _INFO_BYTES,
            texts_each=2 if are_pairs else 1,
        )
        yield from _sent(calls, defaults.catalog, collected)
    return collected, single


def plan_entities(
    defaults: Defaults, texts: Texts, aggregation: Aggregation, options: SpanOptions
) -> Plan[tuple[list[TaggedText], bool]]:
    """Plan `Client.entities`: what is in each text, and whether a single `str` was passed."""
    check_names(options, SpanOptions)
    listed, single = as_list(texts)
    sizes = utf8_sizes(listed)
    unit = offset_unit(options)
    fields = prediction_fields(options, defaults.model_name(options))
    fields["offset_unit"] = unit
    fields["aggregation"] = enum_value(pb.Aggregation, "AGGREGATION_", "aggregation", aggregation)
    collected: list[TaggedText] = []

    def encode(rows: range, several: bool) -> bytes:
        some = listed[rows.start : rows.stop]
        return pb.TagTokensRequest(texts=some, **_prioritized(fields, several=several)).SerializeToString()

    if listed:
        heads = _Heads(defaults.catalog, defaults.model_name(options), defaults.timeout(options))
        yield from heads.ask()

        def receive(rows: range, reply: bytes) -> None:
            message = decode(pb.TagTokensResponse, reply)
            lengths = [length_of(text, unit) for text in listed[rows.start : rows.stop]]
            collected.extend(tagged_texts(message, lengths, heads.head(message.model.version, message.head)))

        calls = TextCalls(
            path=TAG_TOKENS,
            model=heads.name,
            timeout=heads.timeout,
            text_bytes=sizes,
            overhead_bytes=pb.TagTokensRequest(**fields).ByteSize(),
            encode=encode,
            receive=receive,
            reply_bytes=lambda _, size: size * _SPAN_BYTES + _INFO_BYTES,
        )
        yield from _sent(calls, defaults.catalog, collected)
    return collected, single


def plan_answer(
    defaults: Defaults,
    question: Texts,
    context: Texts,
    *,
    top_k: int,
    max_answer_tokens: int,
    may_have_none: bool,
    options: SpanOptions,
) -> Plan[tuple[list[Answered], bool]]:
    """Plan `Client.answer`: the answers to each question, and whether single `str`s were passed."""
    check_names(options, SpanOptions)
    (questions, single), (contexts, single_context) = as_list(question, "question"), as_list(context, "context")
    if single != single_context or len(questions) != len(contexts):
        raise InvalidArgumentError("question and context must be two str, or two lists as long as each other")
    asked, context_sizes = utf8_sizes(questions, "question"), utf8_sizes(contexts, "context")
    unit = offset_unit(options)
    fields = prediction_fields(options, defaults.model_name(options))
    fields["offset_unit"] = unit
    fields["top_k"] = unsigned(top_k, "top_k", least=1)
    fields["max_answer_tokens"] = unsigned(max_answer_tokens, "max_answer_tokens", least=1)
    fields["may_have_none"] = flag(may_have_none, "may_have_none")
    collected: list[Answered] = []

    def encode(rows: range, several: bool) -> bytes:
        some = [pb.Question(question=questions[row], context=contexts[row]) for row in rows]
        return pb.AnswerRequest(questions=some, **_prioritized(fields, several=several)).SerializeToString()

    def receive(rows: range, reply: bytes) -> None:
        lengths = [length_of(text, unit) for text in contexts[rows.start : rows.stop]]
        collected.extend(answered(decode(pb.AnswerResponse, reply), lengths))

    if questions:
        calls = TextCalls(
            path=ANSWER,
            model=defaults.model_name(options),
            timeout=defaults.timeout(options),
            text_bytes=[one + other for one, other in zip(asked, context_sizes, strict=True)],
            overhead_bytes=pb.AnswerRequest(**fields).ByteSize(),
            encode=encode,
            receive=receive,
            reply_bytes=lambda _, size: top_k * (min(size, 8 * max_answer_tokens) * 8 + _SPAN_BYTES) + _INFO_BYTES,
            texts_each=2,
            name="questions",
        )
        yield from _sent(calls, defaults.catalog, collected)
    return collected, single


def plan_rerank(
    defaults: Defaults, query: str, texts: Texts, top_k: int | None, options: PredictionOptions
) -> Plan[list[Ranked]]:
    """Plan `Client.rerank`, which is one call."""
    check_names(options, PredictionOptions)
    listed, single = as_list(texts)
    if single:
        raise InvalidArgumentError("texts must be a list of str, got str", field="texts")
    utf8_size(query, "query")
    utf8_sizes(listed)
    fields = prediction_fields(options, defaults.model_name(options))
    if top_k is not None:
        fields["top_k"] = unsigned(top_k, "top_k", least=1)
    request = pb.RerankRequest(query=query, texts=listed, **fields)
    reply = yield from ask(RERANK, request.SerializeToString(), pb.RerankResponse, defaults.timeout(options))
    return ranked(reply, listed, len(listed) if top_k is None else top_k)


class _Heads:
    """The heads of the model that answers, as the server described it.

    Attributes:
        name: of the model, as it is asked for.
        timeout: seconds for a call.
        model: after `ask`.
    """

    def __init__(self, catalog: Catalog, name: str, timeout: float | None) -> None:
        self.name = name
        self.timeout = timeout
        self._catalog = catalog
        self.model: Model

    def ask(self) -> Plan[None]:
        """Describe the model, where it is not known."""
        self.model = self._catalog.known(self.name) or (yield from self._catalog.get(self.name, self.timeout))

    def head(self, version: str, name: str) -> Head:
        """Give the head that answered.

        Raises:
            ModelChangedError: the model was replaced since it was described; the next call knows the new one.
            InvalidReplyError: the model has no such head.
        """
        if version != self.model.identity.version:
            self._catalog.forget(self.name)
            raise ModelChangedError(f"the model {self.model.name} was replaced by another version; call again")
        for head in self.model.heads:
            if head.name == name:
                return head
        raise InvalidReplyError(f"reply is of a head that {self.model.name} has not")


def _sent(calls: TextCalls, catalog: Catalog, collected: list[Any]) -> Plan[None]:
    try:
        yield from send_texts(calls, catalog)
    except PolysemeError as error:
        error.partial = collected or None
        raise


def _prioritized(fields: dict[str, Any], *, several: bool) -> dict[str, Any]:
    """Give the fields of one of several requests, which are bulk work unless the caller has set a priority."""
    return {"priority": common_pb2.PRIORITY_BULK, **fields} if several else fields
