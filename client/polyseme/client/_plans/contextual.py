"""embed_tokens and embed_words: texts as one small call, or as messages of a stream, whose replies have no limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from polyseme.client._convert.chunks import Part, TextsParts, Whole
from polyseme.client._convert.indices import shift_texts
from polyseme.client._convert.replies import same_model
from polyseme.client._plans.catalog import Catalog
from polyseme.client._plans.split import CallLimits, split
from polyseme.client._plans.streams.embed_stream import check_chunk
from polyseme.client._plans.streams.job import Message
from polyseme.client._plans.streams.resumable import Conversation
from polyseme.client._plans.text_calls import check_text_bytes
from polyseme.client._transport.rpc import MessageType, Plan, ask
from polyseme.client.errors import PolysemeError
from polyseme.client.models import ModelIdentity, identity_from
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2

MESSAGE_TEXTS: Final = 32
MESSAGE_BYTES: Final = 16 * 1024
UNARY_REPLY_BYTES: Final = 2 * 1024 * 1024
UNKNOWN_HIDDEN_SIZE: Final = 4096  # of a model that was not asked for yet: wider than any encoder in use
_ADDED_TOKENS: Final = 64  # special tokens, and those of a prompt

_Column = TypeVar("_Column")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Generic[_Column, _Result]):
    """What EmbedTokens and EmbedSpans differ in.

    Attributes:
        kind: the field of a streamed request and reply.
        path: the unary call.
        reply_type: of the unary call.
        request: builds the request for a range of the texts.
        part: converts an entry of a reply.
        result: makes a value of a whole text.
        text_bytes: bytes of each text.
        asked_bytes: bytes that each text takes in a request, with what is asked of it.
        apart: how many layers the vectors keep apart.
        vector_bytes: bytes of a token's vectors per unit of the hidden size.
        model: the model's name; "": the default one.
        timeout: seconds for the call, or for each reply of a stream.
        target: what errors call the server.
    """

    kind: str
    path: str
    reply_type: MessageType[Any]
    request: Callable[[range], Any]
    part: Callable[[Any], Part[_Column]]
    result: Callable[[Whole[_Column]], _Result]
    text_bytes: Sequence[int]
    asked_bytes: Sequence[int]
    apart: int
    vector_bytes: int
    model: str
    timeout: float | None
    target: str


def embed_context(subject: Subject[_Column, _Result], catalog: Catalog) -> Plan[list[_Result]]:
    """Ask for all texts.

    Raises:
        InvalidArgumentError: a text is over the server's limit, or the server refuses it: index, got, limit.
    """
    model = catalog.known(subject.model)
    if model is not None:
        check_text_bytes(subject.text_bytes, model.limits)
    hidden_size = (model.hidden_size if model else 0) or UNKNOWN_HIDDEN_SIZE
    if len(subject.text_bytes) == 1 and _reply_bytes(subject, hidden_size) <= UNARY_REPLY_BYTES:
        try:
            reply = yield from ask(
                subject.path, subject.request(range(1)).SerializeToString(), subject.reply_type, subject.timeout
            )
        except PolysemeError as error:
            raise shift_texts(error, 0)  # noqa: B904  the same error, its words changed
        parts: TextsParts[_Column] = TextsParts(1, subject.apart)
        parts.add([subject.part(entry) for entry in reply.texts], 0, 0, 0)
        return [subject.result(whole) for whole in parts.wholes()]
    topic = _TextsTopic(subject)
    yield from Conversation(topic, timeout=subject.timeout, target=subject.target, clock=time.monotonic).run()
    return topic.results


def _reply_bytes(subject: Subject[Any, Any], hidden_size: int) -> int:
    return (subject.asked_bytes[0] + _ADDED_TOKENS) * subject.vector_bytes * hidden_size


class _TextsTopic(Generic[_Column, _Result]):
    """The Topic of one list of texts; `results` grows with what is delivered."""

    def __init__(self, subject: Subject[_Column, _Result]) -> None:
        self.results: list[_Result] = []
        self._subject = subject
        limits = CallLimits(max_texts=MESSAGE_TEXTS, max_request_bytes=MESSAGE_BYTES, max_reply_bytes=1)
        self._ranges: Iterator[range] = iter(split(subject.asked_bytes, [0] * len(subject.asked_bytes), limits))
        self._model: ModelIdentity | None = None

    def pull(self) -> Plan[Message[list[Whole[_Column]]] | None]:
        """Give the next range of the texts."""
        rows = next(self._ranges, None)
        yield from ()
        return None if rows is None else Message(rows.start, rows)

    def encode(self, message: Message[list[Whole[_Column]]]) -> service_pb2.StreamEmbedRequest:
        """Build the request."""
        request = self._subject.request(range(message.first, message.first + len(message.texts)))
        return service_pb2.StreamEmbedRequest(**{self._subject.kind: request})

    def reply(self, message: Message[list[Whole[_Column]]]) -> _TextsReply[_Column]:
        """Prepare for the answer."""
        return _TextsReply(self._subject, len(message.texts), self._same)

    def refused(
        self, message: Message[list[Whole[_Column]]], error: PolysemeError
    ) -> list[Message[list[Whole[_Column]]]]:
        """Raise: one text that fails is the failure of the list."""
        raise shift_texts(error, message.first)

    def deliver(self, message: Message[list[Whole[_Column]]]) -> Plan[None]:
        """Keep the texts."""
        if isinstance(message.answer, list):
            self.results.extend(map(self._subject.result, message.answer))
        yield from ()

    def _same(self, model: common_pb2.ModelIdentity) -> None:
        self._model = same_model(self._model, identity_from(model))


class _TextsReply(Generic[_Column]):
    """The chunks of one reply to EmbedTokens or EmbedSpans."""

    def __init__(
        self, subject: Subject[_Column, Any], count: int, check_model: Callable[[common_pb2.ModelIdentity], None]
    ) -> None:
        self._subject, self._check_model = subject, check_model
        self._parts: TextsParts[_Column] = TextsParts(count, subject.apart)
        self._chunks = 0

    def add(self, chunk: service_pb2.StreamEmbedResponse) -> None:
        """Take the next one."""
        check_chunk(chunk, self._subject.kind, self._chunks)
        self._chunks += 1
        reply = getattr(chunk, self._subject.kind)
        if reply.HasField("model"):
            self._check_model(reply.model)
        entries = [self._subject.part(entry) for entry in reply.texts]
        self._parts.add(entries, chunk.first_text, chunk.first_layer, chunk.first_token)

    def answer(self) -> list[Whole[_Column]]:
        """Put them together."""
        return self._parts.wholes()
