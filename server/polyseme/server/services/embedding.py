"""polyseme.v1.EmbeddingService."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from polyseme.runtime.tokenizer import TokenIds, TokenizedText
from polyseme.server import convert, similarity
from polyseme.server.config import ServerConfig
from polyseme.server.errors import InvalidInputError, NotImplementedYetError
from polyseme.server.model import ServedModel
from polyseme.server.registry import Registry
from polyseme.server.rpc import Call, Method
from polyseme.server.scheduling import Completed
from polyseme.server.validation import check_dimensions, check_reply_bytes, check_texts
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

Float32Array = npt.NDArray[np.float32]


class EmbeddingService:
    """Texts to vectors."""

    descriptor = pb.DESCRIPTOR.services_by_name["EmbeddingService"]

    def __init__(self, registry: Registry, config: ServerConfig) -> None:
        self._registry = registry
        self._config = config

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the name that the contract gives them."""
        return {"Embed": self.embed, "Similarity": self.similarity, "Tokenize": self.tokenize}

    async def embed(self, request: pb.EmbedRequest, call: Call) -> pb.EmbedResponse:
        """One vector per text."""
        model = self._find(request.model)
        texts, dtype = request.texts, convert.wire_type(request.dtype)
        normalize = request.normalize if request.HasField("normalize") else model.spec.normalizes
        dimensions = request.dimensions if request.HasField("dimensions") else model.spec.dimensions
        check_dimensions(dimensions, model.spec.dimensions)
        check_texts(texts, self._config)
        check_reply_bytes(len(texts) * dimensions * 4, self._config)
        run = _Run(model, request, call)
        vectors = await run.embed(texts, normalize=normalize)
        if dimensions < model.spec.dimensions:
            vectors = similarity.unit(vectors[:, :dimensions]) if normalize else vectors[:, :dimensions]
        return pb.EmbedResponse(
            embeddings=convert.tensor(vectors, dtype),
            texts=convert.text_infos(run.encoded),
            timings=run.timings(),
            model=convert.identity(model),
        )

    async def similarity(self, request: pb.SimilarityRequest, call: Call) -> pb.SimilarityResponse:
        """Similarity of texts."""
        model = self._find(request.model)
        metric = convert.metric(request.metric)
        texts = self._operand_texts(request)
        n, m = len(request.a), len(request.b) or len(request.a)
        self._check_mode(request, n, m)
        run = _Run(model, request, call)
        vectors = await run.embed(texts, normalize=model.spec.normalizes)
        scores, indices = await asyncio.to_thread(
            _compare, request.mode, vectors[:n], vectors[n:] if request.b else vectors, metric, request.top_k
        )
        return pb.SimilarityResponse(
            scores=convert.tensor(scores),
            indices=indices,
            texts=convert.text_infos(run.encoded),
            timings=run.timings(),
            model=convert.identity(model),
        )

    async def tokenize(self, request: pb.TokenizeRequest, call: Call) -> pb.TokenizeResponse:
        """The tokens that the model would see."""
        model = self._find(request.model)
        unit = convert.offset_unit(request.offset_unit)
        check_texts(request.texts, self._config)
        left = iter(request.texts)
        size = 0

        def build(tokens: TokenizedText) -> pb.TokenizedText:
            nonlocal size
            text = pb.TokenizedText(tokens=convert.tokens(next(left), tokens, unit), info=convert.text_info(tokens))
            size += text.ByteSize()
            check_reply_bytes(size, self._config)
            return text

        texts = await model.tokenize(request.texts, convert.text_options(request.text_options), build)
        tokenize_s = call.elapsed_s()
        return pb.TokenizeResponse(
            texts=texts,
            timings=convert.timings(tokenize_s=tokenize_s, completed=None, total_s=call.elapsed_s()),
            model=convert.identity(model),
        )

    def _find(self, model: common_pb2.ModelRef) -> ServedModel:
        return self._registry.find(model.name, model.version)

    def _operand_texts(self, request: pb.SimilarityRequest) -> list[str]:
        operands = [*request.a, *request.b]
        if not request.a:
            raise InvalidInputError("a is empty; at least 1 operand is needed")
        if any(operand.WhichOneof("part") for operand in operands):
            raise NotImplementedYetError("similarity of spans and words is not served yet; leave `part` unset")
        texts = [operand.text for operand in operands]
        check_texts(texts, self._config, "a and b together")
        return texts

    def _check_mode(self, request: pb.SimilarityRequest, n: int, m: int) -> None:
        match request.mode:
            case pb.SIMILARITY_MODE_UNSPECIFIED | pb.SIMILARITY_MODE_MATRIX:
                check_reply_bytes(n * m * 4, self._config)
            case pb.SIMILARITY_MODE_PAIRWISE:
                if n != m:
                    raise InvalidInputError(f"pairwise: a has {n} operands, b has {m}; as many are needed")
            case pb.SIMILARITY_MODE_TOP_K:
                if not 1 <= request.top_k <= m:
                    raise InvalidInputError(f"top_k: got {request.top_k}; limits 1..{m}")
                check_reply_bytes(n * request.top_k * 8, self._config)
            case unknown:
                raise InvalidInputError(f"mode: got {unknown}, which the contract does not have")


class _Run:
    """Texts of one call on their way through a model, and how long each step took."""

    def __init__(self, model: ServedModel, request: pb.EmbedRequest | pb.SimilarityRequest, call: Call) -> None:
        self._model = model
        self._options = convert.text_options(request.text_options)
        self._lane = convert.lane(request.priority)
        self._call = call
        self._tokenize_s = 0.0
        self._completed: Completed | None = None
        self.encoded: list[TokenIds] = []

    async def embed(self, texts: Sequence[str], *, normalize: bool) -> Float32Array:
        """Vectors [N, D] of texts."""
        started = time.monotonic()
        self.encoded = await self._model.encode(texts, self._options)
        self._tokenize_s = time.monotonic() - started
        vectors, self._completed = await self._model.embed(
            self.encoded, normalize=normalize, lane=self._lane, deadline=self._call.deadline
        )
        return vectors

    def timings(self) -> common_pb2.Timings:
        """Where the time went."""
        return convert.timings(tokenize_s=self._tokenize_s, completed=self._completed, total_s=self._call.elapsed_s())


def _compare(
    mode: pb.SimilarityMode.ValueType, a: Float32Array, b: Float32Array, metric: similarity.Metric, k: int
) -> tuple[Float32Array, list[int]]:
    if mode == pb.SIMILARITY_MODE_PAIRWISE:
        return similarity.pairwise(a, b, metric), []
    scores = similarity.matrix(a, b, metric)
    if mode != pb.SIMILARITY_MODE_TOP_K:
        return scores, []
    scores, indices = similarity.top_k(scores, k, metric)
    return scores, indices.ravel().tolist()
