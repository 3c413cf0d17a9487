"""What a Conversation is about: which messages it sends, and what becomes of their answers."""

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
class Message(Generic[_A]):
    """One request of a stream: neighbouring texts, and what became of them.

    Attributes:
        first: the index of its first text among all.
        texts: what it carries.
        answer: the server's; or why there is none.
        parts: what is sent in its place.
    """

    first: int
    texts: Sequence[Any]
    answer: _A | PolysemeError | None = None
    parts: list[Message[_A]] = field(default_factory=list)


class Reply(Protocol[_A_co]):
    """The chunks of one reply."""

    def add(self, chunk: service_pb2.StreamEmbedResponse) -> None:
        """Take the next one."""

    def answer(self) -> _A_co:
        """Put them together."""


class Topic(Protocol[_A]):
    """What a stream is about."""

    def pull(self) -> Plan[Message[_A] | None]:
        """Give the next message; None: there are no more."""

    def encode(self, message: Message[_A]) -> service_pb2.StreamEmbedRequest:
        """Build the request."""

    def reply(self, message: Message[_A]) -> Reply[_A]:
        """Prepare for the answer."""

    def refused(self, message: Message[_A], error: PolysemeError) -> list[Message[_A]]:
        """Say what is sent in place of what was refused; nothing: the error is the message's answer.

        Raises:
            PolysemeError: the error is not the message's alone.
        """

    def deliver(self, message: Message[_A]) -> Plan[None]:
        """Take an answered message, in order."""
