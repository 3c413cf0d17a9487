"""polyseme.v1.EmbeddingService: the unary calls. `stream.py` has the other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from polyseme.runtime.text.tokenizer import TokenizedText, portions
from polyseme.server.config import ServerConfig
from polyseme.server.inference import similarity
from polyseme.server.inference.comparison import Comparison
from polyseme.server.inference.pieces import Piece, Work
from polyseme.server.inference.validation import check_dimensions, check_reply_bytes, check_texts
from polyseme.server.inference.works import Context, span_work, token_work
from polyseme.server.models.registry import Models, Registry
from polyseme.server.models.served import Terms
from polyseme.server.observe.stopwatch import Stopwatch
from polyseme.server.wire.calls import Call, Method
from polyseme.server.wire.tensors import WireType, encoded_bytes
from polyseme.server.wire.v1 import convert
from polyseme.v1 import embedding_service_pb2 as pb

Float32Array = npt.NDArray[np.float32]
Request: TypeAlias = pb.EmbedRequest | pb.EmbedTokensRequest | pb.EmbedSpansRequest | pb.SimilarityRequest
_CHUNKS = "StreamEmbed sends it in chunks"
P = TypeVar("P", pb.TokenEmbeddings, pb.SpanEmbeddings)


class EmbeddingService:
    """Texts, tokens and words in context to vectors."""

    descriptor = pb.DESCRIPTOR.services_by_name["EmbeddingService"]

    def __init__(self, registry: Registry, config: ServerConfig) -> None:
        self._registry = registry
        self._config = config

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the name that the contract gives them."""
        return {
            "Embed": self.embed,
            "EmbedTokens": self.embed_tokens,
            "EmbedSpans": self.embed_spans,
            "Similarity": self.similarity,
            "Tokenize": self.tokenize,
        }

    async def embed(self, request: pb.EmbedRequest, call: Call) -> pb.EmbedResponse:
        """One vector per text."""
        return await self.embed_in(self.context(request, call), request, call, limit=self._config.max_message_bytes)

    async def embed_in(
        self, context: Context, request: pb.EmbedRequest, call: Call, *, limit: int | None = None
    ) -> pb.EmbedResponse:
        """One vector per text.

        Args:
            context: as `context` gave it.
            request: what is asked.
            call: whose time is counted.
            limit: bytes that the vectors may have; None: any number, as the reply will be cut into chunks.
        """
        spec, watch = context.model.spec, context.watch
        texts, dtype = request.texts, convert.wire_type(request.dtype)
        normalize = request.normalize if request.HasField("normalize") else spec.normalizes
        dimensions = request.dimensions if request.HasField("dimensions") else spec.dimensions
        check_dimensions(dimensions, spec.dimensions)
        check_texts(texts, self._config)
        if limit is not None:
            check_reply_bytes(encoded_bytes(len(texts), dimensions, dtype), limit, _CHUNKS)
        encoded = await watch.tokenizing(
            context.model.encode(texts, convert.text_options(request.text_options), context.terms)
        )
        # Vectors that are cut are scaled again, which wants all bits.
        halved = dtype is WireType.FLOAT16 and dimensions == spec.dimensions
        vectors, completed = await context.model.embed(encoded, normalize=normalize, terms=context.terms, halved=halved)
        watch.ran(completed)
        if dimensions < spec.dimensions:
            vectors = similarity.unit(vectors[:, :dimensions]) if normalize else vectors[:, :dimensions]
        return pb.EmbedResponse(
            embeddings=convert.tensor(vectors, dtype),
            texts=convert.text_infos(encoded),
            timings=convert.timings(watch, call.elapsed_s()),
            model=convert.identity(context.model),
        )

    async def embed_tokens(self, request: pb.EmbedTokensRequest, call: Call) -> pb.EmbedTokensResponse:
        """Every token of each text."""
        context = self.context(request, call)
        parts = await self._parts(token_work(request, context), pb.TokenEmbeddings)
        return pb.EmbedTokensResponse(
            texts=parts,
            timings=convert.timings(context.watch, call.elapsed_s()),
            model=convert.identity(context.model),
        )

    async def embed_spans(self, request: pb.EmbedSpansRequest, call: Call) -> pb.EmbedSpansResponse:
        """Vectors of words or spans in their context."""
        context = self.context(request, call)
        parts = await self._parts(span_work(request, context), pb.SpanEmbeddings)
        return pb.EmbedSpansResponse(
            texts=parts,
            timings=convert.timings(context.watch, call.elapsed_s()),
            model=convert.identity(context.model),
        )

    async def similarity(self, request: pb.SimilarityRequest, call: Call) -> pb.SimilarityResponse:
        """Similarity of texts, or of words in their context."""
        context = self.context(request, call)
        comparison = Comparison(request, context)
        a, b = await comparison.operands()
        scores, indices = await asyncio.to_thread(comparison.compare, a, b)
        return pb.SimilarityResponse(
            scores=convert.tensor(scores),
            indices=indices,
            texts=comparison.infos,
            timings=convert.timings(context.watch, call.elapsed_s()),
            model=convert.identity(context.model),
        )

    async def tokenize(self, request: pb.TokenizeRequest, call: Call) -> pb.TokenizeResponse:
        """The tokens that the model would see."""
        model = self.models.find(request.model.name, request.model.version)
        unit = convert.offset_unit(request.offset_unit)
        check_texts(request.texts, self._config)
        left = iter(request.texts)
        size = 0

        def build(tokens: TokenizedText) -> pb.TokenizedText:
            nonlocal size
            text = pb.TokenizedText(tokens=convert.tokens(next(left), tokens, unit), info=convert.text_info(tokens))
            size += text.ByteSize()
            check_reply_bytes(size, self._config.max_message_bytes)
            return text

        watch = Stopwatch()
        options = convert.text_options(request.text_options)
        texts = await watch.tokenizing(model.tokenize(request.texts, options, build))
        return pb.TokenizeResponse(
            texts=texts,
            timings=convert.timings(watch, call.elapsed_s()),
            model=convert.identity(model),
        )

    @property
    def models(self) -> Models:
        """Those that a call which begins now is answered by."""
        return self._registry.models

    def context(self, request: Request, call: Call, *, patient: bool = False, models: Models | None = None) -> Context:
        """What a request runs in.

        Args:
            request: what is asked.
            call: of the request.
            patient: whether it waits for room.
            models: default: those that are served now.

        Raises:
            UnknownModelError: no such model.
            InvalidInputError: an unknown priority.
        """
        terms = Terms(lane=convert.lane(request.priority), deadline=call.deadline, patient=patient)
        model = (models or self.models).find(request.model.name, request.model.version)
        return Context(model=model, config=self._config, terms=terms, watch=Stopwatch())

    async def _parts(self, work: Work, kind: type[P]) -> list[P]:
        """All parts of a reply, refused before the first text is run where they would not fit a message."""
        pieces: list[Piece] = []
        size = 0
        for portion in portions(work.texts):
            prepared = await work.prepare(len(pieces), portion)
            size += work.reply_bytes(prepared)
            check_reply_bytes(size, self._config.max_message_bytes, _CHUNKS)
            pieces += prepared
        for group in work.groups(pieces):
            await work.run(group)
        return [piece.part for piece in pieces if isinstance(piece.part, kind)]
