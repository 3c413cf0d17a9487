"""Send the texts of embed_tokens or embed_words: one small call, or a stream, whose replies may have any size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from polyseme.client._convert.chunks import AssembledText, ChunkEntry, TextListAssembler
from polyseme.client._convert.indices import shift_texts
from polyseme.client._convert.replies import same_model
from polyseme.client._convert.requests import make_bulk
from polyseme.client._plans.catalog import Catalog
from polyseme.client._plans.streams.embed_stream import check_chunk
from polyseme.client._plans.streams.job import StreamRequest
from polyseme.client._plans.streams.resumable import ResumableStream
from polyseme.client._plans.texts.sending import check_text_bytes
from polyseme.client._plans.texts.split import CallLimits, split
from polyseme.client._transport.rpc import MessageType, Plan, ask
from polyseme.client.errors import PolysemeError
from polyseme.client.models import ModelIdentity, identity_from
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2

MESSAGE_TEXTS: Final = 32
MESSAGE_BYTES: Final = 16 * 1024
UNARY_REPLY_BYTES: Final = 2 * 1024 * 1024
UNKNOWN_HIDDEN_SIZE: Final = 4096  # of a model that was not asked for yet: wider than any encoder in use
_ADDED_TOKENS: Final = 64  # special tokens, and those of a prompt

_Column = TypeVar("_Column")
_Result = TypeVar("_Result")


class PartsCall(NamedTuple, Generic[_Column, _Result]):
    """One call of embed_tokens or embed_words; the differences between the two.

    Attributes:
        stream_field: name of the field for it in a streamed request and reply.
        path: the unary method, as /package.Service/Method.
        reply_type: message class of the unary reply.
        make_request: builds the request for a range of the texts.
        read_entry: converts an entry of a reply.
        make_result: builds the SDK's value from an assembled text; raises InvalidReplyError where it cannot be.
        length_of: length of a text by its index, in the unit of the offsets.
        text_bytes: bytes of UTF-8 of each text.
        request_bytes: bytes of each text in a request, its words and spans included.
        dtype: type of the vectors on the wire.
        separate_layers: number of layers that the vectors keep on an axis of their own; 1: no such axis.
        vector_bytes: bytes of a token's vectors, per unit of the hidden size.
        model: the model's name; "": the default one.
        timeout: seconds for the call, or for each reply of a stream.
        target: the server's name in errors.
    """

    stream_field: str
    path: str
    reply_type: MessageType[Any]
    make_request: Callable[[range], Any]
    read_entry: Callable[[Any], ChunkEntry[_Column]]
    make_result: Callable[[AssembledText[_Column], int], _Result]
    length_of: Callable[[int], int]
    text_bytes: Sequence[int]
    request_bytes: Sequence[int]
    dtype: tensor_pb2.DataType.ValueType
    separate_layers: int
    vector_bytes: int
    model: str
    timeout: float | None
    target: str


def send_parts(
    call: PartsCall[_Column, _Result], catalog: Catalog, advance: Callable[[int], None]
) -> Plan[list[_Result]]:
    """Send all texts, and give their results in order; `advance` counts texts that are done.

    Raises:
        InvalidArgumentError: a text is over the server's limit, or the server refuses it: index, got, limit.
    """
    model = catalog.known(call.model)
    if model is not None:
        check_text_bytes(call.text_bytes, model.limits)
    hidden_size = (model.hidden_size if model else 0) or UNKNOWN_HIDDEN_SIZE
    if len(call.text_bytes) == 1 and _reply_bytes(call, hidden_size) <= UNARY_REPLY_BYTES:
        try:
            reply = yield from ask(
                call.path, call.make_request(range(1)).SerializeToString(), call.reply_type, call.timeout
            )
        except PolysemeError as error:
            raise shift_texts(error, 0)  # noqa: B904  the same error, its words changed
        assembler: TextListAssembler[_Column] = TextListAssembler(1, call.separate_layers, call.dtype)
        assembler.add([call.read_entry(entry) for entry in reply.texts], 0, 0, 0)
        advance(1)
        return [call.make_result(text, call.length_of(0)) for text in assembler.assembled()]
    job = _PartsJob(call, advance)
    try:
        yield from ResumableStream(job, timeout=call.timeout, target=call.target, clock=time.monotonic).run()
    except PolysemeError as error:
        error.partial = job.results or None
        raise
    return job.results


def _reply_bytes(call: PartsCall[Any, Any], hidden_size: int) -> int:
    return (call.request_bytes[0] + _ADDED_TOKENS) * call.vector_bytes * hidden_size


class _PartsJob(Generic[_Column, _Result]):
    """The stream job of one list of texts; `results` grows as texts are delivered."""

    def __init__(self, call: PartsCall[_Column, _Result], advance: Callable[[int], None]) -> None:
        self.results: list[_Result] = []
        self._call, self._advance = call, advance
        limits = CallLimits(max_texts=MESSAGE_TEXTS, max_request_bytes=MESSAGE_BYTES, max_reply_bytes=1)
        ranges = split(call.request_bytes, [0] * len(call.request_bytes), limits)
        self._several = len(ranges) > 1
        self._ranges: Iterator[range] = iter(ranges)
        self._model: ModelIdentity | None = None

    def next_request(self) -> Plan[StreamRequest[list[AssembledText[_Column]]] | None]:
        """Give the next range of the texts."""
        rows = next(self._ranges, None)
        yield from ()
        return None if rows is None else StreamRequest(rows.start, rows)

    def encode(self, request: StreamRequest[list[AssembledText[_Column]]]) -> service_pb2.StreamEmbedRequest:
        """Build the message for a request."""
        message = self._call.make_request(range(request.first, request.first + len(request.texts)))
        if self._several:
            make_bulk(message)
        return service_pb2.StreamEmbedRequest(**{self._call.stream_field: message})

    def assembler(self, request: StreamRequest[list[AssembledText[_Column]]]) -> _PartsAssembler[_Column]:
        """Make the assembler of the reply to a request."""
        return _PartsAssembler(self._call, len(request.texts), self._check_same)

    def replace_refused(
        self, request: StreamRequest[list[AssembledText[_Column]]], error: PolysemeError
    ) -> list[StreamRequest[list[AssembledText[_Column]]]]:
        """Raise the error: if one text fails, the whole list does."""
        raise shift_texts(error, request.first)

    def deliver(self, request: StreamRequest[list[AssembledText[_Column]]]) -> Plan[None]:
        """Keep the results."""
        if isinstance(request.answer, list):
            for index, text in enumerate(request.answer, request.first):
                self.results.append(self._call.make_result(text, self._call.length_of(index)))
            self._advance(len(request.answer))
        yield from ()

    def _check_same(self, model: common_pb2.ModelIdentity) -> None:
        self._model = same_model(self._model, identity_from(model))


class _PartsAssembler(Generic[_Column]):
    """Puts the chunks of one reply to EmbedTokens or EmbedSpans together."""

    def __init__(
        self,
        call: PartsCall[_Column, Any],
        count: int,
        check_same: Callable[[common_pb2.ModelIdentity], None],
    ) -> None:
        self._call, self._check_same = call, check_same
        self._texts: TextListAssembler[_Column] = TextListAssembler(count, call.separate_layers, call.dtype)
        self._chunks = 0

    def add(self, chunk: service_pb2.StreamEmbedResponse) -> None:
        """Add the next chunk."""
        check_chunk(chunk, self._call.stream_field, self._chunks)
        self._chunks += 1
        reply = getattr(chunk, self._call.stream_field)
        if reply.HasField("model"):
            self._check_same(reply.model)
        entries = [self._call.read_entry(entry) for entry in reply.texts]
        self._texts.add(entries, chunk.first_text, chunk.first_layer, chunk.first_token)

    def assembled(self) -> list[AssembledText[_Column]]:
        """Give all texts of the request."""
        return self._texts.assembled()
