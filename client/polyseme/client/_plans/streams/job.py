"""The work that a stream does for one operation: its requests, and what becomes of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from polyseme.client._transport.rpc import Plan
from polyseme.client.errors import PolysemeError
from polyseme.v1 import embedding_service_pb2 as service_pb2

_A = TypeVar("_A")
_A_co = TypeVar("_A_co", covariant=True)


@dataclass(slots=True, eq=False)
class StreamRequest(Generic[_A]):
    """One request of a stream: neighbouring texts, and their answer once there is one.

    Attributes:
        first: index of its first text among all texts of the operation.
        texts: the texts, or what stands for them.
        answer: the assembled reply, or the error in its place; None: not answered yet.
        replacements: requests that are sent in its place after it was refused.
    """

    first: int
    texts: Sequence[Any]
    answer: _A | PolysemeError | None = None
    replacements: list[StreamRequest[_A]] = field(default_factory=list)


class ReplyAssembler(Protocol[_A_co]):
    """Puts the chunks of one reply together."""

    def add(self, chunk: service_pb2.StreamEmbedResponse) -> None:
        """Add the next chunk.

        Raises:
            InvalidReplyError: it does not follow those before it.
        """

    def assembled(self) -> _A_co:
        """Give the whole reply.

        Raises:
            InvalidReplyError: chunks are missing.
        """


class StreamJob(Protocol[_A]):
    """The requests of one operation over StreamEmbed, and the use that it makes of the answers."""

    def next_request(self) -> Plan[StreamRequest[_A] | None]:
        """Give the next request; None: there are no more."""

    def encode(self, request: StreamRequest[_A]) -> service_pb2.StreamEmbedRequest:
        """Build the message for a request."""

    def assembler(self, request: StreamRequest[_A]) -> ReplyAssembler[_A]:
        """Make the assembler of the reply to a request."""

    def replace_refused(self, request: StreamRequest[_A], error: PolysemeError) -> list[StreamRequest[_A]]:
        """Give the requests to send in place of a refused one; none: the error is its answer.

        Raises:
            PolysemeError: the error concerns the whole operation, not this request alone.
        """

    def deliver(self, request: StreamRequest[_A]) -> Plan[None]:
        """Use an answered request; they come in order."""
