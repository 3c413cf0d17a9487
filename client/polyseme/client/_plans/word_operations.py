"""The operations on words in context, and on streams, as plans. No I/O."""

import time
from collections.abc import AsyncIterable, Sized

from polyseme.client._arguments.layers import selection
from polyseme.client._arguments.operands import mention
from polyseme.client._arguments.queries import span_messages, word_queries
from polyseme.client._arguments.texts import Texts, as_list, check_iterable, utf8_sizes
from polyseme.client._convert.replies import similarity_scores
from polyseme.client._convert.requests import embed_stream_request, spans_request, tokens_request
from polyseme.client._plans.comparison import compare
from polyseme.client._plans.context import embed_context
from polyseme.client._plans.conversation import Conversation
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.embed_stream import VectorStream
from polyseme.client._plans.subjects import span_subject, token_subject
from polyseme.client._progress import progress_bar
from polyseme.client._transport.rpc import Plan
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.options import (
    Combine,
    Dtype,
    EmbedStreamOptions,
    FloatDtype,
    Layers,
    OffsetUnit,
    OnError,
    SimilarityOptions,
    Subtokens,
    TokenOptions,
)
from polyseme.client.results import TokenEmbeddings, WordEmbeddings
from polyseme.client.words import WordInText
from polyseme.v1 import embedding_service_pb2 as service_pb2


class WordOperations(Defaults):
    """What `Operations` has from here."""

    def word_similarity(self, a: WordInText, b: WordInText, options: SimilarityOptions) -> Plan[float]:
        """Plan `Client.word_similarity`."""
        comparison = self.comparison(mention(a, "a"), mention(b, "b"), options)
        reply = yield from compare(comparison, service_pb2.SIMILARITY_MODE_PAIRWISE, self.catalog)
        return float(similarity_scores(reply, (1,))[0])

    def embed_tokens(
        self,
        texts: Texts,
        options: TokenOptions,
        *,
        layers: Layers,
        combine: Combine,
        dtype: FloatDtype,
        include_special_tokens: bool,
        offset_unit: OffsetUnit,
    ) -> Plan[tuple[list[TokenEmbeddings], bool]]:
        """Plan `Client.embed_tokens`: the tokens of each text, and whether one `str` was passed."""
        listed, single = as_list(texts)
        chosen = selection(layers, combine)
        request = tokens_request(
            options,
            model=self.model_name(options),
            layers=chosen,
            dtype=dtype,
            include_special_tokens=include_special_tokens,
            offset_unit=offset_unit,
        )
        timeout = self.timeout(options)
        subject = token_subject(listed, request, chosen, dtype=dtype, timeout=timeout, target=self.target)
        return (yield from embed_context(subject, self.catalog)), single

    def embed_words(
        self,
        texts: Texts,
        options: TokenOptions,
        *,
        words: object,
        spans: object,
        layers: Layers,
        combine: Combine,
        subtokens: Subtokens,
        normalize: bool,
        dtype: FloatDtype,
        offset_unit: OffsetUnit,
    ) -> Plan[tuple[list[WordEmbeddings], bool]]:
        """Plan `Client.embed_words`: the words of each text, and whether one `str` was passed."""
        listed, single = as_list(texts)
        utf8_sizes(listed)
        chosen = selection(layers, combine)
        request = spans_request(
            options,
            model=self.model_name(options),
            layers=chosen,
            subtokens=subtokens,
            normalize=normalize,
            dtype=dtype,
            offset_unit=offset_unit,
        )
        queries = word_queries(words)
        of_texts = span_messages(spans, len(listed), single=single, needed=not queries)
        inputs = [
            service_pb2.SpanInput(text=text, spans=of_text, words=queries)
            for text, of_text in zip(listed, of_texts, strict=True)
        ]
        timeout = self.timeout(options)
        subject = span_subject(inputs, request, chosen, dtype=dtype, timeout=timeout, target=self.target)
        return (yield from embed_context(subject, self.catalog)), single

    def embed_stream(self, texts: object, dtype: Dtype, on_error: OnError, options: EmbedStreamOptions) -> Plan[None]:
        """Plan `Client.embed_stream`; arguments are checked now, not at the first step."""
        if not isinstance(texts, AsyncIterable):
            check_iterable(texts)
        if on_error not in ("raise", "return"):
            raise InvalidArgumentError(f"on_error is {on_error!r}; valid: raise, return", field="on_error")
        request = embed_stream_request(options, model=self.model_name(options), dtype=dtype)
        total = options.get("total")
        if total is None and isinstance(texts, Sized):
            total = len(texts)
        return self._streamed(request, on_error, self.timeout(options), total, progress=options.get("progress", False))

    def _streamed(
        self,
        request: service_pb2.EmbedRequest,
        on_error: OnError,
        timeout: float | None,
        total: int | None,
        *,
        progress: bool,
    ) -> Plan[None]:
        with progress_bar(total, enabled=progress) as advance:
            topic = VectorStream(request, on_error, advance)
            yield from Conversation(topic, timeout=timeout, target=self.target, clock=time.monotonic).run()
