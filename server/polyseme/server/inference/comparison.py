"""Similarity: operands that are texts or parts of texts, brought to vectors and compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from polyseme.server.errors import InvalidInputError
from polyseme.server.inference import similarity
from polyseme.server.inference.validation import check_reply_bytes, check_texts
from polyseme.server.inference.works import Context, part_work
from polyseme.server.wire.v1 import convert
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

Float32Array = npt.NDArray[np.float32]


class Comparison:
    """One request of Similarity.

    Attributes:
        infos: what became of each operand's text: those of a, then those of b; after `operands`.
    """

    def __init__(self, request: pb.SimilarityRequest, context: Context) -> None:
        """Check the request.

        Raises:
            InvalidInputError: what, got, limit.
        """
        self.infos: list[common_pb2.TextInfo] = []
        self._request = request
        self._context = context
        self._metric = convert.metric(request.metric)
        self._operands = [*request.a, *request.b]
        if not request.a:
            raise InvalidInputError("a is empty; at least 1 operand is needed")
        check_texts([operand.text for operand in self._operands], context.config, "a and b together", self._at)
        self._check_mode(len(request.a), len(request.b) or len(request.a))

    async def operands(self) -> tuple[Float32Array, Float32Array]:
        """The vectors of a [N, D] and of b [M, D].

        Raises:
            InvalidInputError: a part that its text has not, or vectors of different widths.
            QueueFullError, DeadlineExpiredError, EngineError: as `Scheduler.submit`.
        """
        whole = [i for i, operand in enumerate(self._operands) if operand.WhichOneof("part") is None]
        parts = [i for i, operand in enumerate(self._operands) if operand.WhichOneof("part") is not None]
        self.infos = [common_pb2.TextInfo()] * len(self._operands)
        texts = await self._texts(whole) if whole else None
        words = await self._parts(parts) if parts else None
        if texts is not None and words is not None and texts.shape[1] != words.shape[1]:
            raise InvalidInputError(
                f"texts have {texts.shape[1]} dimensions and parts of texts {words.shape[1]}; similarity needs as many"
            )
        widths = [vectors.shape[1] for vectors in (texts, words) if vectors is not None]
        vectors = np.empty((len(self._operands), widths[0]), dtype=np.float32)
        for places, rows in ((whole, texts), (parts, words)):
            if rows is not None:
                vectors[places] = rows
        n = len(self._request.a)
        return vectors[:n], vectors[n:] if self._request.b else vectors

    def compare(self, a: Float32Array, b: Float32Array) -> tuple[Float32Array, list[int]]:
        """Scores, and for TOP_K the indices into b."""
        request = self._request
        if request.mode == pb.SIMILARITY_MODE_PAIRWISE:
            return similarity.pairwise(a, b, self._metric), []
        scores = similarity.matrix(a, b, self._metric)
        if request.mode != pb.SIMILARITY_MODE_TOP_K:
            return scores, []
        scores, indices = similarity.top_k(scores, request.top_k, self._metric)
        return scores, indices.ravel().tolist()

    async def _texts(self, places: list[int]) -> Float32Array:
        """Vectors of operands that are whole texts."""
        model, terms, watch = self._context.model, self._context.terms, self._context.watch
        texts = [self._operands[place].text for place in places]
        options = convert.text_options(self._request.text_options)
        encoded = await watch.tokenizing(model.encode(texts, options, terms, lambda i: self._at(places[i])))
        for place, text in zip(places, encoded, strict=True):
            self.infos[place] = convert.text_info(text)
        vectors, completed = await model.embed(encoded, normalize=model.spec.normalizes, terms=terms)
        watch.ran(completed)
        return vectors

    async def _parts(self, places: list[int]) -> Float32Array:
        """Vectors of operands that are parts of texts; a text with several is run once."""
        of_text: dict[str, list[int]] = {}
        for place in places:
            of_text.setdefault(self._operands[place].text, []).append(place)
        grouped = list(of_text.values())
        work = part_work(self._request, grouped, self._at, self._context)
        pieces = await work.prepare(0, work.texts)
        rows: dict[int, Float32Array] = {}
        for group in work.groups(pieces):
            for piece, vectors in zip(group, await work.vectors(group), strict=True):
                rows.update(zip(grouped[piece.index], vectors, strict=True))
                for place in grouped[piece.index]:
                    self.infos[place] = piece.part.info
        return np.stack([rows[place] for place in places])

    def _at(self, index: int) -> str:
        n = len(self._request.a)
        return f"a[{index}]" if index < n else f"b[{index - n}]"

    def _check_mode(self, n: int, m: int) -> None:
        request, config = self._request, self._context.config
        match request.mode:
            case pb.SIMILARITY_MODE_UNSPECIFIED | pb.SIMILARITY_MODE_MATRIX:
                check_reply_bytes(n * m * 4, config.max_message_bytes)
            case pb.SIMILARITY_MODE_PAIRWISE:
                if n != m:
                    raise InvalidInputError(f"pairwise: a has {n} operands, b has {m}; as many are needed")
            case pb.SIMILARITY_MODE_TOP_K:
                if not 1 <= request.top_k <= m:
                    raise InvalidInputError(f"top_k: got {request.top_k}; limits 1..{m}")
                check_reply_bytes(n * request.top_k * 8, config.max_message_bytes)
            case unknown:
                raise InvalidInputError(f"mode: got {unknown}, which the contract does not have")
