"""embed_stream: texts without end as messages of one stream, vectors in order."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable, Sized
from typing import Any, Final

import grpc
import numpy as np
import numpy.typing as npt

from polyseme.client._arguments.texts import check_iterable, utf8_size
from polyseme.client._convert.indices import name_text
from polyseme.client._convert.replies import EmbeddingsCollector
from polyseme.client._convert.requests import embed_stream_request
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.split import ENTRY_BYTES
from polyseme.client._plans.streams.job import Message
from polyseme.client._plans.streams.resumable import Conversation
from polyseme.client._progress import progress_bar
from polyseme.client._transport.rpc import EXHAUSTED, Emit, Plan, Pull
from polyseme.client.errors import InvalidArgumentError, InvalidReplyError, ModelChangedError, PolysemeError
from polyseme.client.models import ModelIdentity
from polyseme.client.options import Dtype, EmbedStreamOptions, OnError
from polyseme.v1 import embedding_service_pb2 as service_pb2

MESSAGE_TEXTS: Final = 64
MESSAGE_BYTES: Final = 16 * 1024

_OF_ONE_TEXT: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""What a text can be the reason of. All else, such as an unknown model, is the whole stream's."""


class VectorStream:
    """The Topic of embed_stream.

    Args of the constructor: what all requests have in common, what becomes of errors, and what counts delivered texts.
    """

    def __init__(self, options: service_pb2.EmbedRequest, on_error: OnError, advance: Callable[[int], None]) -> None:
        self._options, self._on_error, self._advance = options, on_error, advance
        self._pulled = 0
        self._carried: tuple[str, int] | PolysemeError | None = None  # pulled, and for the next message
        self._exhausted = False
        self._model: ModelIdentity | None = None
        self._width: tuple[int, ...] = ()

    def pull(self) -> Plan[Message[npt.NDArray[Any]] | None]:
        """Take texts until a message is full."""
        texts: list[str] = []
        first, room = self._pulled - (self._carried is not None), MESSAGE_BYTES
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
            return Message(first, (), answer=bad)
        return Message(first, texts) if texts else None

    def encode(self, message: Message[npt.NDArray[Any]]) -> service_pb2.StreamEmbedRequest:
        """Build the request."""
        request = service_pb2.StreamEmbedRequest(embed=service_pb2.EmbedRequest(texts=message.texts))
        request.embed.MergeFrom(self._options)
        return request

    def reply(self, message: Message[npt.NDArray[Any]]) -> VectorsReply:
        """Prepare for the answer."""
        return VectorsReply(len(message.texts), self._same)

    def refused(self, message: Message[npt.NDArray[Any]], error: PolysemeError) -> list[Message[npt.NDArray[Any]]]:
        """Send several texts again one by one, unless the error is no text's."""
        if error.code not in _OF_ONE_TEXT:
            raise error
        if len(message.texts) == 1:
            name_text(error, message.first)
            return []
        return [Message(message.first + index, (text,)) for index, text in enumerate(message.texts)]

    def deliver(self, message: Message[npt.NDArray[Any]]) -> Plan[None]:
        """Hand vectors to the caller, each an array of its own; or the error of a text."""
        answer = message.answer
        if isinstance(answer, PolysemeError):
            if self._on_error == "raise":
                raise answer
            yield Emit((answer,))
        elif answer is not None:
            yield Emit([row.copy() for row in answer])
        self._advance(max(1, len(message.texts)))

    def _next(self) -> Plan[tuple[str, int] | PolysemeError | None]:
        if self._exhausted:
            return None
        text = yield Pull()
        if text is EXHAUSTED:
            self._exhausted = True
            return None
        self._pulled += 1
        try:
            return text, utf8_size(text, f"texts[{self._pulled - 1}]")
        except InvalidArgumentError as error:
            return error

    def _same(self, vectors: npt.NDArray[Any], dimensions: int, model: ModelIdentity) -> None:
        """Hold that all vectors come from one model."""
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


class VectorsReply:
    """The chunks of one reply to Embed: whole rows, in order."""

    def __init__(self, count: int, check: Callable[[npt.NDArray[Any], int, ModelIdentity], None]) -> None:
        self._count, self._check = count, check
        self._collector = EmbeddingsCollector(count)
        self._rows = 0
        self._chunks = 0

    def add(self, chunk: service_pb2.StreamEmbedResponse) -> None:
        """Take the next one.

        Raises:
            InvalidReplyError: it does not follow those before it.
        """
        check_chunk(chunk, "embed", self._chunks)
        stop = self._rows + len(chunk.embed.texts)
        misplaced = chunk.first_text != self._rows or chunk.first_layer or chunk.first_token
        if misplaced or not self._rows < stop <= self._count:
            raise InvalidReplyError(f"chunk has texts {chunk.first_text} to {stop} of {self._count}")
        self._collector.add(range(self._rows, stop), chunk.embed)
        self._rows, self._chunks = stop, self._chunks + 1

    def answer(self) -> npt.NDArray[Any]:
        """Put them together: [N, D].

        Raises:
            InvalidReplyError: rows are missing.
        """
        if self._rows != self._count:
            raise InvalidReplyError(f"reply to {self._count} texts has {self._rows}")
        result = self._collector.result(single=False)
        self._check(result.embeddings, result.dimensions, result.model)
        return np.asarray(result.embeddings)


def check_chunk(chunk: service_pb2.StreamEmbedResponse, kind: str, index: int) -> None:
    """Hold that a chunk is of this kind, and the next.

    Raises:
        InvalidReplyError: it is not.
    """
    found = chunk.WhichOneof("result")
    if found != kind or chunk.chunk_index != index:
        raise InvalidReplyError(f"stream has chunk {chunk.chunk_index} of {found}; expected {index} of {kind}")


def plan_embed_stream(
    defaults: Defaults, texts: object, dtype: Dtype, on_error: OnError, options: EmbedStreamOptions
) -> Plan[None]:
    """Plan `Client.embed_stream`; arguments are checked now, not at the first step."""
    if not isinstance(texts, AsyncIterable):
        check_iterable(texts)
    if on_error not in ("raise", "return"):
        raise InvalidArgumentError(f"on_error is {on_error!r}; valid: raise, return", field="on_error")
    request = embed_stream_request(options, model=defaults.model_name(options), dtype=dtype)
    total = options.get("total")
    if total is None and isinstance(texts, Sized):
        total = len(texts)
    return _streamed(
        request,
        on_error,
        timeout=defaults.timeout(options),
        target=defaults.target,
        total=total,
        progress=options.get("progress", False),
    )


def _streamed(
    request: service_pb2.EmbedRequest,
    on_error: OnError,
    *,
    timeout: float | None,
    target: str,
    total: int | None,
    progress: bool,
) -> Plan[None]:
    with progress_bar(total, enabled=progress) as advance:
        topic = VectorStream(request, on_error, advance)
        yield from Conversation(topic, timeout=timeout, target=target, clock=time.monotonic).run()
