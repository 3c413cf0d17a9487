"""Convert reply messages to values; a reply that does not fit its request is an InvalidReplyError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.client._convert.offsets import check_offsets
from polyseme.client._convert.vectors import decode_asked
from polyseme.client._transport.rpc import decode
from polyseme.client.errors import InvalidArgumentError, InvalidReplyError, ModelChangedError
from polyseme.client.models import Model, ModelIdentity, identity_from
from polyseme.client.results import EmbedResult, TextInfo, Timings, TokenizedText
from polyseme.client.tensor import int8_and_scales
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2


def text_info_from(message: common_pb2.TextInfo) -> TextInfo:
    """Convert token counts from the wire."""
    return TextInfo(tokens=message.tokens, original_tokens=message.original_tokens, truncated=message.truncated)


def timings_from(message: common_pb2.Timings) -> Timings:
    """Convert times from the wire: microseconds become seconds."""
    return Timings(
        queue_s=message.queue_us / 1e6,
        tokenize_s=message.tokenize_us / 1e6,
        run_s=message.run_us / 1e6,
        total_s=message.total_us / 1e6,
    )


def same_model(before: ModelIdentity | None, now: ModelIdentity) -> ModelIdentity:
    """Check that one model answered all calls of one list; the device that it ran on may differ.

    Raises:
        ModelChangedError: two models did.
    """
    if before is not None and (before.name, before.version) != (now.name, now.version):
        raise ModelChangedError(
            f"the model changed from {before.name} {before.version} to {now.name} {now.version} "
            "between the calls of one list of texts; call again"
        )
    return before or now


class EmbeddingsAssembler:
    """Puts the replies to the calls of one list of texts together, in order.

    Args of the constructor: number of texts in all; the request, for the type and width that it asks for.
    """

    def __init__(self, count: int, request: service_pb2.EmbedRequest) -> None:
        self._count = count
        self._dtype = request.dtype
        self._asked = request.dimensions if request.HasField("dimensions") else 0
        self._embeddings: npt.NDArray[Any] | None = None
        self._dimensions = 0
        self._int8: list[npt.NDArray[np.int8]] = []  # one array for each reply, as are the scales
        self._scales: list[npt.NDArray[np.float32]] = []
        self._texts: list[TextInfo] = []
        self._timings: list[Timings] = []
        self._model: ModelIdentity | None = None

    def receive(self, rows: range, reply: bytes) -> None:
        """Decode and add the reply that holds these rows.

        Raises:
            InvalidReplyError: it does not hold exactly these, or is of another type or width than asked for, or than
                those before.
            ModelChangedError: another model answered.
        """
        self.add(rows, decode(service_pb2.EmbedResponse, reply))

    def add(self, rows: range, message: service_pb2.EmbedResponse) -> None:
        """Add a reply, as `receive` does."""
        self._model = same_model(self._model, identity_from(message.model))
        vectors = decode_asked(message.embeddings, self._dtype, "embeddings")
        shape = list(message.embeddings.shape)
        if len(shape) != 2 or shape[0] != len(rows) or len(message.texts) != len(rows):
            raise InvalidReplyError(
                f"reply to {len(rows)} texts has embeddings of shape {shape} and {len(message.texts)} text infos"
            )
        if self._asked not in (0, shape[1]):
            raise InvalidReplyError(f"reply has embeddings of {shape[1]} elements; {self._asked} were asked for")
        self._store(rows, vectors, shape[1])
        if self._dtype == tensor_pb2.DATA_TYPE_INT8:
            elements, scales = int8_and_scales(message.embeddings)
            self._int8.append(elements)
            self._scales.append(scales)
        self._texts.extend(map(text_info_from, message.texts))
        self._timings.append(timings_from(message.timings))

    def _store(self, rows: range, vectors: npt.NDArray[Any], dimensions: int) -> None:
        if self._embeddings is None:
            self._dimensions = dimensions
            whole = len(vectors) == self._count
            self._embeddings = vectors if whole else np.empty((self._count, vectors.shape[1]), vectors.dtype)
        if dimensions != self._dimensions or vectors.dtype != self._embeddings.dtype:
            raise InvalidReplyError(
                f"replies to one list of texts have vectors of {self._dimensions} and of {dimensions} elements"
            )
        self._embeddings[rows.start : rows.stop] = vectors

    def partial(self) -> EmbedResult | None:
        """Give the vectors of the first texts, as many as have come; None: none has."""
        if self._embeddings is None:
            return None
        self._embeddings = self._embeddings[: len(self._texts)].copy()
        return self.result(single=False)

    def result(self, *, single: bool) -> EmbedResult:
        """Give all vectors, in one array; `single` drops the axis of the texts."""
        assert self._embeddings is not None and self._model is not None  # noqa: S101, PT018  every reply was received
        return EmbedResult(
            embeddings=self._embeddings[0].copy() if single else self._embeddings,
            dimensions=self._dimensions,
            texts=tuple(self._texts),
            timings=tuple(self._timings),
            model=self._model,
            int8=_joined(self._int8, single=single),
            scales=_joined(self._scales, single=single),
        )


def no_embeddings(model: Model, request: service_pb2.EmbedRequest) -> EmbedResult:
    """Give the vectors of no texts, in the type and width that the request asks for.

    Raises:
        InvalidArgumentError: it asks for more elements than the model has.
    """
    dimensions = request.dimensions or model.dimensions
    if dimensions > model.dimensions:
        raise InvalidArgumentError(f"dimensions is {dimensions}; limit {model.dimensions}", field="dimensions")
    binary, int8 = (request.dtype == kind for kind in (tensor_pb2.DATA_TYPE_BINARY, tensor_pb2.DATA_TYPE_INT8))
    return EmbedResult(
        embeddings=np.empty((0, -(-dimensions // 8)), np.uint8) if binary else np.empty((0, dimensions), np.float32),
        dimensions=dimensions,
        texts=(),
        timings=(),
        model=model.identity,
        int8=np.empty((0, dimensions), np.int8) if int8 else None,
        scales=np.empty(0, np.float32) if int8 else None,
    )


def _joined(parts: Sequence[npt.NDArray[Any]], *, single: bool) -> npt.NDArray[Any] | None:
    if not parts:
        return None
    return np.array(parts[0][0]) if single else np.concatenate(parts)


def tokenized_texts(message: service_pb2.TokenizeResponse, lengths: Sequence[int]) -> list[TokenizedText]:
    """Convert the reply to texts of these lengths, in the unit of the offsets.

    Raises:
        InvalidReplyError: another number of texts, columns of different lengths, or offsets beyond a text.
    """
    if len(message.texts) != len(lengths):
        raise InvalidReplyError(f"reply to {len(lengths)} texts has {len(message.texts)}")
    texts = [TokenizedText(**token_columns(text.tokens), info=text_info_from(text.info)) for text in message.texts]
    for text, length in zip(texts, lengths, strict=True):
        check_offsets(text.offsets, length)
    return texts


def token_columns(message: common_pb2.Tokens) -> dict[str, Any]:
    """Convert the columns of Tokens.

    Raises:
        InvalidReplyError: they differ in length.
    """
    columns: Sequence[Sequence[Any]] = (
        message.ids, message.texts, message.starts, message.ends, message.word_ids, message.special,
    )  # fmt: skip
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        raise InvalidReplyError(f"reply has token columns of different lengths: {lengths}")
    return {
        "ids": tuple(message.ids),
        "tokens": tuple(message.texts),
        "offsets": tuple(zip(message.starts, message.ends, strict=True)),
        "word_ids": tuple(None if word < 0 else word for word in message.word_ids),
        "special": tuple(message.special),
    }


def similarity_scores(message: service_pb2.SimilarityResponse, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Decode the scores.

    Raises:
        InvalidReplyError: they do not have this shape.
    """
    scores = decode_asked(message.scores, tensor_pb2.DATA_TYPE_FLOAT32, "scores")
    if scores.shape != shape:
        raise InvalidReplyError(f"reply has scores of shape {list(scores.shape)}; expected {list(shape)}")
    return scores


def top_k_indices(
    message: service_pb2.SimilarityResponse, shape: tuple[int, int], entries: int
) -> npt.NDArray[np.int64]:
    """Decode the indices into `entries` texts.

    Raises:
        InvalidReplyError: not as many as the shape has, or one out of range.
    """
    indices = np.array(message.indices, dtype=np.int64)
    if indices.size != shape[0] * shape[1] or (indices >= entries).any():
        raise InvalidReplyError(f"reply has {indices.size} indices into {entries} texts; expected {list(shape)}")
    return indices.reshape(shape)
