"""polyseme.v1.EmbeddingService: convert, delegate, convert. `stream.py` has StreamEmbed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from polyseme.runtime.text.tokenizer import TokenizedText
from polyseme.server.inference.comparison import Comparison
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.parts.embedding import PartEmbedding, span_embedding, token_embedding
from polyseme.server.inference.texts import TextEmbedding
from polyseme.server.inference.validation import check_count, check_reply_bytes, check_texts, in_texts
from polyseme.server.scheduling import Priority
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import Method
from polyseme.server.wire.messages.tensors import encoded_bytes
from polyseme.server.wire.v1 import replies, requests
from polyseme.server.wire.v1.replies import SpanWriter, TokenWriter
from polyseme.v1 import embedding_service_pb2 as pb
from polyseme.v1 import prediction_service_pb2 as predictions

Request: TypeAlias = (
    pb.EmbedRequest | pb.EmbedTokensRequest | pb.EmbedSpansRequest | pb.SimilarityRequest | pb.TokenizeRequest
    | predictions.ClassifyRequest | predictions.TagTokensRequest | predictions.AnswerRequest | predictions.RerankRequest
)  # fmt: skip
_CHUNKS: Final = "StreamEmbed sends it in chunks"


class EmbeddingService:
    """Answers calls for vectors of texts, of tokens and of words in context."""

    descriptor = pb.DESCRIPTOR.services_by_name["EmbeddingService"]

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._limits = executions.limits

    @property
    def methods(self) -> Mapping[str, Method]:
        """The unary methods, by the name that the contract gives them."""
        return {
            "Embed": self.embed,
            "EmbedTokens": self.embed_tokens,
            "EmbedSpans": self.embed_spans,
            "Similarity": self.similarity,
            "Tokenize": self.tokenize,
        }

    async def embed(self, request: pb.EmbedRequest, call: Call) -> pb.EmbedResponse:
        """Answer Embed: one vector per text."""
        return await self.embed_in(self.execution(request, call), request, call)

    async def embed_in(
        self, execution: Execution, request: pb.EmbedRequest, call: Call, *, in_chunks: bool = False
    ) -> pb.EmbedResponse:
        """Answer Embed in an execution that is there already.

        Args:
            execution: the execution of the call.
            request: the request.
            call: the call, whose time is measured.
            in_chunks: whether the reply will be cut into messages; else it must fit one message.
        """
        dtype = requests.wire_type(request.dtype)
        embedding = TextEmbedding(requests.embed_texts(request, dtype), execution)
        size = encoded_bytes(*embedding.shape, dtype)
        if not in_chunks:
            check_reply_bytes(size, self._limits, _CHUNKS)
        execution.reserve(size)
        embedded = await embedding.run()
        return pb.EmbedResponse(
            embeddings=replies.tensor(embedded.vectors, dtype),
            texts=replies.text_infos(embedded.texts),
            timings=replies.timings(execution.stopwatch, call.elapsed_s()),
            model=replies.identity(execution.model),
        )

    async def embed_tokens(self, request: pb.EmbedTokensRequest, call: Call) -> pb.EmbedTokensResponse:
        """Answer EmbedTokens: a vector for every token of each text."""
        execution = self.execution(request, call)
        return pb.EmbedTokensResponse(
            texts=await self.tokens_of(request, execution).run(_CHUNKS),
            timings=replies.timings(execution.stopwatch, call.elapsed_s()),
            model=replies.identity(execution.model),
        )

    async def embed_spans(self, request: pb.EmbedSpansRequest, call: Call) -> pb.EmbedSpansResponse:
        """Answer EmbedSpans: vectors of words or other spans in their context."""
        execution = self.execution(request, call)
        return pb.EmbedSpansResponse(
            texts=await self.spans_of(request, execution).run(_CHUNKS),
            timings=replies.timings(execution.stopwatch, call.elapsed_s()),
            model=replies.identity(execution.model),
        )

    async def similarity(self, request: pb.SimilarityRequest, call: Call) -> pb.SimilarityResponse:
        """Answer Similarity: of texts, or of words in their context."""
        execution = self.execution(request, call)
        compared = await Comparison(requests.compare(request, self._limits), execution).run()
        return pb.SimilarityResponse(
            scores=replies.tensor(compared.scores),
            indices=compared.indices,
            texts=replies.text_infos(compared.texts),
            timings=replies.timings(execution.stopwatch, call.elapsed_s()),
            model=replies.identity(execution.model),
        )

    async def tokenize(self, request: pb.TokenizeRequest, call: Call) -> pb.TokenizeResponse:
        """Answer Tokenize: the tokens that the model would see."""
        execution = self.execution(request, call)
        query, unit = requests.tokenize(request), requests.offset_unit(request.offset_unit)
        check_count(len(query.texts), self._limits)
        check_texts(query.texts, self._limits, in_texts)
        left = iter(query.texts)
        size = 0

        def build(tokens: TokenizedText) -> pb.TokenizedText:
            nonlocal size
            text = pb.TokenizedText(tokens=replies.tokens(next(left), tokens, unit), info=replies.text_info(tokens))
            size += text.ByteSize()
            check_reply_bytes(size, self._limits)
            return text

        texts = await execution.tokenize(query.texts, query.options, build)
        return pb.TokenizeResponse(
            texts=texts,
            timings=replies.timings(execution.stopwatch, call.elapsed_s()),
            model=replies.identity(execution.model),
        )

    def tokens_of(self, request: pb.EmbedTokensRequest, execution: Execution) -> PartEmbedding[pb.TokenEmbeddings]:
        """Check an EmbedTokens request, and give the part embedding that answers it.

        Raises:
            InvalidInputError: the field that is wrong: what, got, limit.
        """
        dtype = requests.wire_type(request.dtype)
        writer = TokenWriter(dtype, requests.offset_unit(request.offset_unit))
        return token_embedding(requests.embed_tokens(request, dtype), writer, execution)

    def spans_of(self, request: pb.EmbedSpansRequest, execution: Execution) -> PartEmbedding[pb.SpanEmbeddings]:
        """Check an EmbedSpans request, and give the part embedding that answers it.

        Raises:
            InvalidInputError: the field that is wrong: what, got, limit.
        """
        dtype = requests.wire_type(request.dtype)
        writer = SpanWriter(dtype, requests.offset_unit(request.offset_unit))
        return span_embedding(requests.embed_spans(request, dtype, self._limits), writer, execution)

    def execution(self, request: Request, call: Call) -> Execution:
        """Find the model of a request and its place in the queue.

        Raises:
            UnknownModelError: no such model.
            InvalidInputError: an unknown priority.
        """
        priority = Priority.INTERACTIVE
        if not isinstance(request, pb.TokenizeRequest):  # tokenizing waits in no queue
            priority = requests.priority(request.priority)
        return self._executions.of(call, name=request.model.name, version=request.model.version, priority=priority)
