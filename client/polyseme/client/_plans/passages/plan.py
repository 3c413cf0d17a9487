"""embed_passages as a plan: EmbedSpans of whole documents, or of windows of those that are too long. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from polyseme.client._arguments.flags import flag_or_none
from polyseme.client._arguments.integers import unsigned
from polyseme.client._arguments.layers import choose_layers
from polyseme.client._arguments.passages import Span, listed, spans_of
from polyseme.client._arguments.texts import Texts, as_list, utf8_sizes
from polyseme.client._convert.indices import rename_spans, rename_texts
from polyseme.client._convert.requests import passages_request
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.features import require_features
from polyseme.client._plans.parts.calls import spans_call
from polyseme.client._plans.parts.sending import send_parts
from polyseme.client._plans.passages.own_tokens import OwnTokens
from polyseme.client._plans.passages.windows import windows
from polyseme.client._plans.progress import progress_bar
from polyseme.client._plans.texts.plans import plan_tokenize
from polyseme.client._transport.rpc import Plan
from polyseme.client.errors import InvalidArgumentError, InvalidReplyError, PolysemeError
from polyseme.client.models import Model
from polyseme.client.options import EmbedPassagesOptions, TextOptions
from polyseme.client.results import PassageEmbeddings, TokenizedText, WordEmbeddings
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2

_RESERVE: Final = 4
"""Tokens left free in a window: a part of a word may have more tokens alone than inside its word."""
_LAST_LAYER: Final = choose_layers(-1, "sum")


class _Document(NamedTuple):
    """A document, and what is asked of it.

    Attributes:
        name: of the document in errors.
        text: the whole text.
        names: of its passages in errors.
        spans: (start, end) of each passage.
    """

    name: str
    text: str
    names: Sequence[str]
    spans: Sequence[Span]


class _Part(NamedTuple):
    """One window of a document, as it is sent.

    Attributes:
        document: index of the document.
        context: (start, end) of the window in the document.
        passages: indices of the document's passages whose vectors are taken from it.
    """

    document: int
    context: Span
    passages: tuple[int, ...]


def plan_embed_passages(
    defaults: Defaults, documents: Texts, passages: object, options: EmbedPassagesOptions
) -> Plan[tuple[list[PassageEmbeddings], bool]]:
    """Plan `Client.embed_passages`: the passages of each document, and whether a single `str` was passed."""
    asked, single = _documents(documents, passages)
    request = passages_request(options, model=defaults.model_name(options))
    overlap = options.get("overlap")
    overlap = None if overlap is None else unsigned(overlap, "overlap")
    normalize = flag_or_none(options.get("normalize"), "normalize")
    name, timeout = request.model.name, defaults.timeout(options)
    yield from require_features(defaults, request, name, timeout)
    model = defaults.catalog.known(name) or (yield from defaults.catalog.get(name, timeout))
    _check_pooling(model)
    request.normalize = model.normalizes if normalize is None else normalize
    tokenized = yield from _tokenized(defaults, asked, options)
    parts = [
        part
        for index, (document, tokens) in enumerate(zip(asked, tokenized, strict=True))
        for part in _parts_of(index, document, tokens, model, overlap)
    ]
    call = spans_call(
        [_input(part, asked[part.document]) for part in parts],
        request,
        _LAST_LAYER,
        timeout=timeout,
        target=defaults.target,
    )
    if not parts:
        return _collected(asked, tokenized, [], [], model), single
    try:
        with progress_bar(len(parts), enabled=options.get("progress", False)) as advance:
            embedded = yield from send_parts(call, defaults.catalog, advance)
    except PolysemeError as error:
        done = error.partial if isinstance(error.partial, list) else []
        whole = parts[len(done)].document  # all windows of the documents before it were answered
        error.partial = _collected(asked[:whole], tokenized[:whole], parts[: len(done)], done, model) or None
        raise rename_spans(error, lambda index, span: _place(asked[parts[index].document], parts[index], span))  # noqa: B904  the same error, its words changed
    return _collected(asked, tokenized, parts, embedded, model), single


def _documents(documents: Texts, passages: object) -> tuple[list[_Document], bool]:
    """Find the passages of each document; say whether a single `str` was passed."""
    texts, single = as_list(documents, "documents")
    utf8_sizes(texts, "documents")
    if single or callable(passages):
        of_each: list[object] = [passages] * len(texts)
    else:
        of_each = listed(passages, "passages")
        if len(of_each) != len(texts):
            raise InvalidArgumentError(
                f"passages has {len(of_each)} entries for {len(texts)} documents; one sequence for each is needed",
                field="passages",
            )
    asked = []
    for index, (text, each) in enumerate(zip(texts, of_each, strict=True)):
        found = spans_of(text, each, "passages" if single else f"passages[{index}]")
        asked.append(
            _Document(
                name=f"documents[{index}]",
                text=text,
                names=[place for place, _ in found],
                spans=[span for _, span in found],
            )
        )
    return asked, single


def _check_pooling(model: Model) -> None:
    """Refuse a model whose vectors of texts are not means of tokens: those of passages would be of another kind.

    Raises:
        InvalidArgumentError: it pools otherwise, or has a layer behind the pooling.
    """
    if model.pooling == "mean" and model.dimensions == model.hidden_size:
        return
    does = f"pools by {model.pooling!r}" if model.pooling != "mean" else "has a layer behind the pooling"
    raise InvalidArgumentError(
        f"model {model.name} {does}; embed_passages takes models whose vector of a text is the mean of its tokens "
        "(embed_words takes spans of texts with any)",
        field="model",
    )


def _tokenized(
    defaults: Defaults, asked: Sequence[_Document], options: EmbedPassagesOptions
) -> Plan[list[TokenizedText]]:
    text_options: TextOptions = {
        "model": options.get("model"),
        "timeout": options.get("timeout"),
        "prompt_name": options.get("prompt_name"),
        "without_prompt": options.get("without_prompt", False),
    }
    try:
        plan = plan_tokenize(defaults, [document.text for document in asked], "code_point", text_options)
        tokenized, _ = yield from plan
    except PolysemeError as error:
        error.partial = None
        raise rename_texts(error, lambda index: asked[index].name)  # noqa: B904  the same error, its words changed
    return tokenized


def _parts_of(index: int, document: _Document, tokens: TokenizedText, model: Model, overlap: int | None) -> list[_Part]:
    """Choose the windows of a document; the whole of it, where it fits.

    Raises:
        InvalidArgumentError: a passage has no token, or more than a window takes.
    """
    own = OwnTokens(tokens)
    fits = len(tokens) <= model.max_tokens
    size = len(own) if fits else max(model.max_tokens - (len(tokens) - len(own)) - _RESERVE, 1)
    taken = [own.of(span, name, size) for span, name in zip(document.spans, document.names, strict=True)]
    chosen = windows(
        taken,
        len(own),
        size=size,
        overlap=size // 4 if overlap is None else overlap,
        most_passages=model.limits.max_spans,
    )
    return [
        _Part(
            document=index,
            context=(0, len(document.text)) if fits else own.context(each, taken),
            passages=each.passages,
        )
        for each in chosen
    ]


def _input(part: _Part, document: _Document) -> service_pb2.SpanInput:
    start, end = part.context
    spans = [document.spans[index] for index in part.passages]
    return service_pb2.SpanInput(
        text=document.text[start:end],
        spans=[common_pb2.Span(start=max(a, start) - start, end=min(b, end) - start) for a, b in spans],
    )


def _place(document: _Document, part: _Part, span: int | None) -> str:
    """Name in errors what the server calls a span of one of its texts; None: the text."""
    return document.name if span is None or span >= len(part.passages) else document.names[part.passages[span]]


def _collected(
    asked: Sequence[_Document],
    tokenized: Sequence[TokenizedText],
    parts: Sequence[_Part],
    embedded: Sequence[WordEmbeddings],
    model: Model,
) -> list[PassageEmbeddings]:
    """Put the windows of each document together; those of documents that are not listed are left out.

    Raises:
        InvalidReplyError: a window has not as many vectors as passages, or not of the model's width.
    """
    vectors = [np.empty((len(document.spans), model.hidden_size), np.float32) for document in asked]
    contexts: list[list[Span]] = [[(0, 0)] * len(document.spans) for document in asked]
    for part, found in zip(parts, embedded, strict=True):
        expected = (len(part.passages), model.hidden_size)
        if found.vectors.shape != expected:
            raise InvalidReplyError(
                f"reply has vectors of shape {list(found.vectors.shape)}; expected {list(expected)}"
            )
        if part.document < len(asked):
            vectors[part.document][list(part.passages)] = found.vectors
            for index in part.passages:
                contexts[part.document][index] = part.context
    return [
        PassageEmbeddings(
            vectors=vectors[index],
            texts=tuple(document.text[start:end] for start, end in document.spans),
            spans=tuple(document.spans),
            contexts=tuple(contexts[index]),
            tokens=tokenized[index].info.original_tokens,
        )
        for index, document in enumerate(asked)
    ]
