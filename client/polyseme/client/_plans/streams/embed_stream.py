"""embed_stream: any number of texts as requests of one stream, vectors in order."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable, Sized
from typing import Any, Final

import grpc
import numpy as np
import numpy.typing as npt

from polyseme.client._arguments.flags import flag
from polyseme.client._arguments.integers import unsigned
from polyseme.client._arguments.texts import check_iterable, utf8_size
from polyseme.client._convert.indices import concerns_text, name_text
from polyseme.client._convert.replies import EmbeddingsAssembler
from polyseme.client._convert.requests import embed_stream_request
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.features import require_features
from polyseme.client._plans.progress import progress_bar
from polyseme.client._plans.streams.job import StreamRequest
from polyseme.client._plans.streams.resumable import ResumableStream
from polyseme.client._plans.texts.split import ENTRY_BYTES
from polyseme.client._transport.rpc import EXHAUSTED, Emit, Plan, Pull
from polyseme.client.errors import InvalidArgumentError, InvalidReplyError, ModelChangedError, PolysemeError
from polyseme.client.models import ModelIdentity
from polyseme.client.options import Dtype, EmbedStreamOptions, OnError
from polyseme.v1 import embedding_service_pb2 as service_pb2

MESSAGE_TEXTS: Final = 64
MESSAGE_BYTES: Final = 16 * 1024

_CAUSED_BY_A_TEXT: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Statuses that a single text can cause. All others, such as an unknown model, concern the whole stream."""


class EmbedStreamJob:
    """The job of embed_stream: requests of up to MESSAGE_TEXTS texts, read from the caller one by one.

    Args of the constructor: the fields that all requests share; "raise" or "return" for errors of single texts; the
    function that counts delivered texts.
    """

    def __init__(self, options: service_pb2.EmbedRequest, on_error: OnError, advance: Callable[[int], None]) -> None:
        self._options, self._on_error, self._advance = options, on_error, advance
        self._read = 0
        self._carried: tuple[str, int] | PolysemeError | None = None  # read already, for the next request
        self._exhausted = False
        self._model: ModelIdentity | None = None
        self._width: tuple[int, ...] = ()

    def next_request(self) -> Plan[StreamRequest[npt.NDArray[Any]] | None]:
        """Read texts until a request is full."""
        texts: list[str] = []
        first, room = self._read - (self._carried is not None), MESSAGE_BYTES
        while len(texts) < MESSAGE_TEXTS:
            if self._carried is None:
                self._carried = yield from self._next()
            if self._carried is None or isinstance(self._carried, PolysemeError):
                break
            text, size = self._carried
            room -= size + ENTRY_BYTES
            if texts and room < 0:
                break
            texts.append(text)
            self._carried = None
        if not texts and isinstance(self._carried, PolysemeError):
            bad, self._carried = self._carried, None
            return StreamRequest(first, (), answer=bad)
        return StreamRequest(first, texts) if texts else None

    def encode(self, request: StreamRequest[npt.NDArray[Any]]) -> service_pb2.StreamEmbedRequest:
        """Build the message for a request."""
        encoded = service_pb2.StreamEmbedRequest(embed=service_pb2.EmbedRequest(texts=request.texts))
        encoded.embed.MergeFrom(self._options)
        return encoded

    def assembler(self, request: StreamRequest[npt.NDArray[Any]]) -> EmbedReplyAssembler:
        """Make the assembler of the reply to a request."""
        return EmbedReplyAssembler(len(request.texts), self._options, self._check_same)

    def replace_refused(
        self, request: StreamRequest[npt.NDArray[Any]], error: PolysemeError
    ) -> list[StreamRequest[npt.NDArray[Any]]]:
        """Send several texts again one by one, unless no text can have caused the error.

        Raises:
            PolysemeError: none can: it concerns the whole stream.
        """
        if error.code not in _CAUSED_BY_A_TEXT or not concerns_text(error):
            raise error
        if len(request.texts) == 1:
            name_text(error, request.first)
            return []
        return [StreamRequest(request.first + index, (text,)) for index, text in enumerate(request.texts)]

    def deliver(self, request: StreamRequest[npt.NDArray[Any]]) -> Plan[None]:
        """Hand vectors to the caller, each an array of its own; or the error of a text."""
        answer = request.answer
        if isinstance(answer, PolysemeError):
            if self._on_error == "raise":
                raise answer
            yield Emit((answer,))
        elif answer is not None:
            yield Emit([row.copy() for row in answer])
        self._advance(max(1, len(request.texts)))

    def _next(self) -> Plan[tuple[str, int] | PolysemeError | None]:
        if self._exhausted:
            return None
        text = yield Pull()
        if text is EXHAUSTED:
            self._exhausted = True
            return None
        self._read += 1
        try:
            return text, utf8_size(text, f"texts[{self._read - 1}]")
        except InvalidArgumentError as error:
            return error

    def _check_same(self, vectors: npt.NDArray[Any], dimensions: int, model: ModelIdentity) -> None:
        """Check that all vectors come from one model and have one width."""
        before = self._model or model
        if (before.name, before.version) != (model.name, model.version):
            raise ModelChangedError(
                f"the model changed from {before.name} {before.version} to {model.name} {model.version} "
                "within one stream of texts"
            )
        width = (dimensions, vectors.itemsize)
        if self._width and width != self._width:
            raise InvalidReplyError(f"replies have vectors of {self._width[0]} and of {dimensions} elements")
        self._model, self._width = model, width


class EmbedReplyAssembler:
    """Puts the chunks of one reply to Embed together: whole rows, in order."""

    def __init__(
        self,
        count: int,
        options: service_pb2.EmbedRequest,
        check_same: Callable[[npt.NDArray[Any], int, ModelIdentity], None],
    ) -> None:
        self._count, self._check_same = count, check_same
        self._embeddings = EmbeddingsAssembler(count, options)
        self._rows = 0
        self._chunks = 0

    def add(self, chunk: service_pb2.StreamEmbedResponse) -> None:
        """Add the next chunk.

        Raises:
            InvalidReplyError: it does not follow those before it.
        """
        check_chunk(chunk, "embed", self._chunks)
        stop = self._rows + len(chunk.embed.texts)
        misplaced = chunk.first_text != self._rows or chunk.first_layer or chunk.first_token
        if misplaced or not self._rows < stop <= self._count:
            raise InvalidReplyError(f"chunk has texts {chunk.first_text} to {stop} of {self._count}")
        self._embeddings.add(range(self._rows, stop), chunk.embed)
        self._rows, self._chunks = stop, self._chunks + 1

    def assembled(self) -> npt.NDArray[Any]:
        """Give all rows: [N, D].

        Raises:
            InvalidReplyError: rows are missing.
        """
        if self._rows != self._count:
            raise InvalidReplyError(f"reply to {self._count} texts has {self._rows}")
        result = self._embeddings.result(single=False)
        self._check_same(result.embeddings, result.dimensions, result.model)
        return np.asarray(result.embeddings)


def check_chunk(chunk: service_pb2.StreamEmbedResponse, kind: str, index: int) -> None:
    """Check that a chunk is of this kind, and the next one.

    Raises:
        InvalidReplyError: it is not.
    """
    found = chunk.WhichOneof("result")
    if found != kind or chunk.chunk_index != index:
        raise InvalidReplyError(f"stream has chunk {chunk.chunk_index} of {found}; expected {index} of {kind}")


def plan_embed_stream(
    defaults: Defaults, texts: object, dtype: Dtype, on_error: OnError, options: EmbedStreamOptions
) -> Plan[None]:
    """Plan `Client.embed_stream`; check the arguments now, not at the first step."""
    if not isinstance(texts, AsyncIterable):
        check_iterable(texts)
    if on_error not in ("raise", "return"):
        raise InvalidArgumentError(f"on_error is {on_error!r}; valid: raise, return", field="on_error")
    request = embed_stream_request(options, model=defaults.model_name(options), dtype=dtype)
    total = options.get("total")
    if total is not None:
        total = unsigned(total, "total")
    elif isinstance(texts, Sized):
        total = len(texts)
    return _streamed(
        defaults,
        request,
        on_error,
        timeout=defaults.timeout(options),
        total=total,
        progress=flag(options.get("progress"), "progress"),
    )


def _streamed(
    defaults: Defaults,
    request: service_pb2.EmbedRequest,
    on_error: OnError,
    *,
    timeout: float | None,
    total: int | None,
    progress: bool,
) -> Plan[None]:
    yield from require_features(defaults, request, request.model.name, timeout)
    with progress_bar(total, enabled=progress) as advance:
        job = EmbedStreamJob(request, on_error, advance)
        yield from ResumableStream(job, timeout=timeout, target=defaults.target, clock=time.monotonic).run()
