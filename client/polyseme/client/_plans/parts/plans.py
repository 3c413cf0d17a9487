"""embed_tokens and embed_words, as plans. No I/O."""

from __future__ import annotations

from polyseme.client._arguments.layers import choose_layers
from polyseme.client._arguments.texts import Texts, as_list, utf8_sizes
from polyseme.client._arguments.words import span_messages, word_queries
from polyseme.client._convert.requests import spans_request, tokens_request
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.features import require_features
from polyseme.client._plans.parts.calls import spans_call, tokens_call
from polyseme.client._plans.parts.sending import send_parts
from polyseme.client._plans.progress import progress_bar
from polyseme.client._transport.rpc import Plan
from polyseme.client.options import EmbedTokensOptions, EmbedWordsOptions
from polyseme.client.results import TokenEmbeddings, WordEmbeddings
from polyseme.v1 import embedding_service_pb2 as service_pb2


def plan_embed_tokens(
    defaults: Defaults, texts: Texts, options: EmbedTokensOptions
) -> Plan[tuple[list[TokenEmbeddings], bool]]:
    """Plan `Client.embed_tokens`: the tokens of each text, and whether a single `str` was passed."""
    listed, single = as_list(texts)
    layers = choose_layers(options.get("layers", (-1,)), options.get("combine", "none"))
    request = tokens_request(options, model=defaults.model_name(options), layers=layers)
    timeout = defaults.timeout(options)
    call = tokens_call(listed, request, layers, timeout=timeout, target=defaults.target)
    yield from require_features(defaults, request, request.model.name, timeout)
    if not listed:
        return [], single
    with progress_bar(len(listed), enabled=options.get("progress", False)) as advance:
        return (yield from send_parts(call, defaults.catalog, advance)), single


def plan_embed_words(
    defaults: Defaults, texts: Texts, spans: object, options: EmbedWordsOptions
) -> Plan[tuple[list[WordEmbeddings], bool]]:
    """Plan `Client.embed_words`: the words of each text, and whether a single `str` was passed."""
    listed, single = as_list(texts)
    utf8_sizes(listed)
    layers = choose_layers(options.get("layers", (-1,)), options.get("combine", "sum"))
    request = spans_request(options, model=defaults.model_name(options), layers=layers)
    queries = word_queries(options.get("words"))
    spans_of_texts = span_messages(spans, len(listed), single=single, needed=not queries)
    inputs = [
        service_pb2.SpanInput(text=text, spans=spans_of_text, words=queries)
        for text, spans_of_text in zip(listed, spans_of_texts, strict=True)
    ]
    timeout = defaults.timeout(options)
    call = spans_call(inputs, request, layers, timeout=timeout, target=defaults.target)
    yield from require_features(defaults, request, request.model.name, timeout)
    if not listed:
        return [], single
    with progress_bar(len(listed), enabled=options.get("progress", False)) as advance:
        return (yield from send_parts(call, defaults.catalog, advance)), single
