"""Every operation of the SDK as a plan that `Client` and `AsyncClient` drive. No I/O."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyseme.client._arguments.integers import as_int
from polyseme.client._arguments.texts import Texts, as_list, utf8_sizes
from polyseme.client._convert.health import CHECK, HealthStatus, health_request, health_status
from polyseme.client._convert.replies import EmbeddingsCollector, similarity_scores, tokenized_texts, top_k_indices
from polyseme.client._convert.requests import embed_request, tokenize_request
from polyseme.client._plans.comparison import compare
from polyseme.client._plans.text_calls import TEXT_INFO_BYTES, TextCalls, send_texts
from polyseme.client._plans.word_operations import WordOperations
from polyseme.client._progress import progress_bar
from polyseme.client._transport.rpc import EMBED, TOKENIZE, Plan, ask_bytes, decode
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.models import Model
from polyseme.client.options import Dtype, EmbedOptions, OffsetUnit, SimilarityOptions, TextOptions
from polyseme.client.results import EmbedResult, TokenizedText, TopK
from polyseme.client.words import Operands
from polyseme.v1 import embedding_service_pb2 as service_pb2

_ELEMENT_BITS: Final = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "binary": 1}
_ROW_BYTES: Final = 8  # a row's scale, or its padding to whole bytes
_TOKEN_BYTES: Final = 40  # of one token in a Tokenize reply: id, text, offsets, word, special
_ADDED_TOKENS: Final = 64  # special tokens, and those of a prompt


class Operations(WordOperations):
    """The operations, with the defaults of one client and what it knows of the server's models."""

    def models(self, *, timeout: float | None) -> Plan[list[Model]]:
        """Plan `Client.models`."""
        return (yield from self.catalog.list(self.timeout({"timeout": timeout})))

    def model(self, name: str | None, *, timeout: float | None) -> Plan[Model]:
        """Plan `Client.model`."""
        return (yield from self.catalog.get(self.model_name({"model": name}), self.timeout({"timeout": timeout})))

    def health(self, service: str, *, timeout: float | None) -> Plan[HealthStatus]:
        """Plan `Client.health`."""
        reply = yield from ask_bytes(CHECK, health_request(service), self.timeout({"timeout": timeout}))
        return health_status(reply)

    def embed(self, texts: Texts, dtype: Dtype, options: EmbedOptions) -> Plan[EmbedResult]:
        """Plan `Client.embed_detailed`."""
        listed, single = as_list(texts)
        request = embed_request(options, model=self.model_name(options), dtype=dtype)
        row_bytes = _ROW_BYTES + TEXT_INFO_BYTES
        collector = EmbeddingsCollector(len(listed))
        with progress_bar(len(listed), enabled=options.get("progress", False)) as advance:

            def receive(rows: range, reply: bytes) -> None:
                collector.receive(rows, reply)
                advance(len(rows))

            work = TextCalls(
                path=EMBED,
                model=request.model.name,
                timeout=self.timeout(options),
                text_bytes=utf8_sizes(listed),
                overhead_bytes=request.ByteSize(),
                encode=_encode_embed(request, listed),
                receive=receive,
                reply_bytes=lambda model, _: model.dimensions * _ELEMENT_BITS[dtype] // 8 + row_bytes,
            )
            yield from send_texts(work, self.catalog)
        return collector.result(single=single)

    def tokenize(
        self, texts: Texts, offset_unit: OffsetUnit, options: TextOptions
    ) -> Plan[tuple[list[TokenizedText], bool]]:
        """Plan `Client.tokenize`: the tokens of each text, and whether one `str` was passed."""
        listed, single = as_list(texts)
        request = tokenize_request(options, model=self.model_name(options), offset_unit=offset_unit)
        collected: list[TokenizedText] = []

        def receive(rows: range, reply: bytes) -> None:
            collected.extend(tokenized_texts(decode(service_pb2.TokenizeResponse, reply), len(rows)))

        work = TextCalls(
            path=TOKENIZE,
            model=request.model.name,
            timeout=self.timeout(options),
            text_bytes=utf8_sizes(listed),
            overhead_bytes=request.ByteSize(),
            encode=_encode_tokenize(request, listed),
            receive=receive,
            reply_bytes=lambda _, size: (size + _ADDED_TOKENS) * _TOKEN_BYTES + TEXT_INFO_BYTES,
        )
        yield from send_texts(work, self.catalog)
        return collected, single

    def similarity(self, a: Operands, b: Operands | None, options: SimilarityOptions) -> Plan[NDArray[np.float32]]:
        """Plan `Client.similarity`."""
        comparison = self.comparison(a, b, options)
        reply = yield from compare(comparison, service_pb2.SIMILARITY_MODE_MATRIX, self.catalog)
        return comparison.drop_single_axes(similarity_scores(reply, (comparison.rows, comparison.columns)))

    def similarity_pairwise(self, a: Operands, b: Operands, options: SimilarityOptions) -> Plan[NDArray[np.float32]]:
        """Plan `Client.similarity_pairwise`."""
        comparison = self.comparison(a, b, options)
        if comparison.rows != comparison.columns:
            raise InvalidArgumentError(
                f"a has {comparison.rows} texts and b has {comparison.columns}; pairs need as many of each"
            )
        reply = yield from compare(comparison, service_pb2.SIMILARITY_MODE_PAIRWISE, self.catalog)
        scores = similarity_scores(reply, (comparison.rows,))
        return scores.reshape(()) if comparison.single_a and comparison.single_b else scores

    def top_k(self, queries: Operands, texts: Operands, k: int, options: SimilarityOptions) -> Plan[TopK]:
        """Plan `Client.top_k`."""
        comparison = self.comparison(queries, texts, options)
        k = _checked_k(k, comparison.columns)
        reply = yield from compare(comparison, service_pb2.SIMILARITY_MODE_TOP_K, self.catalog, top_k=k)
        shape = (comparison.rows, k)
        scores, indices = similarity_scores(reply, shape), top_k_indices(reply, shape, comparison.columns)
        return TopK(scores[0].copy(), indices[0].copy()) if comparison.single_a else TopK(scores, indices)


def _checked_k(k: object, most: int) -> int:
    number = as_int(k)
    if number is None or not 1 <= number <= most:
        raise InvalidArgumentError(f"k is {k!r}; 1 to {most}, the number of texts, are valid", field="k")
    return number


def _encode_embed(options: service_pb2.EmbedRequest, texts: Sequence[str]) -> Callable[[range], bytes]:
    def encode(rows: range) -> bytes:
        request = service_pb2.EmbedRequest(texts=texts[rows.start : rows.stop])
        request.MergeFrom(options)
        return request.SerializeToString()

    return encode


def _encode_tokenize(options: service_pb2.TokenizeRequest, texts: Sequence[str]) -> Callable[[range], bytes]:
    def encode(rows: range) -> bytes:
        request = service_pb2.TokenizeRequest(texts=texts[rows.start : rows.stop])
        request.MergeFrom(options)
        return request.SerializeToString()

    return encode
