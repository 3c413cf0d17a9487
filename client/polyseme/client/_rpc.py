"""What the clients are asked to do: calls as plain bytes, so that everything above them does no I/O.

An operation of the SDK is a generator, a `Plan`: it yields `Calls`, is resumed once all of their replies have been
received (or thrown into with the error that ended them), and returns its result. `Client` and `AsyncClient` only drive
plans. A stream will be a second kind of step beside `Calls`.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

from google.protobuf.message import DecodeError

from polyseme.client.errors import InvalidReplyError

MAX_IN_FLIGHT: Final = 4
"""Calls of one operation that are under way at once: enough to hide the way there and back behind the server's work,
few enough for others to get their turn."""

EMBED: Final = "/polyseme.v1.EmbeddingService/Embed"
SIMILARITY: Final = "/polyseme.v1.EmbeddingService/Similarity"
TOKENIZE: Final = "/polyseme.v1.EmbeddingService/Tokenize"
LIST_MODELS: Final = "/polyseme.v1.ModelService/ListModels"
GET_MODEL: Final = "/polyseme.v1.ModelService/GetModel"

_T = TypeVar("_T")
_Reply_co = TypeVar("_Reply_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls of one method, to be started in order, MAX_IN_FLIGHT at a time.

    Attributes:
        path: /package.Service/Method.
        requests: serialized requests, made as they are needed.
        count: how many there are.
        receive: takes the serialized replies, in the order of the requests.
        timeout: seconds for each call; None: without end.
    """

    path: str
    requests: Iterable[bytes]
    count: int
    receive: Callable[[bytes], None]
    timeout: float | None


Plan: TypeAlias = Generator[Calls, None, _T]


class MessageType(Protocol[_Reply_co]):
    """A generated message class, as far as decoding needs it."""

    @staticmethod
    def FromString(s: bytes, /) -> _Reply_co:  # noqa: N802 - protobuf's name
        """Parse a serialized message."""


def decode(message_type: MessageType[_T], reply: bytes) -> _T:
    """Parse a reply.

    Raises:
        InvalidReplyError: it is not such a message.
    """
    try:
        return message_type.FromString(reply)
    except DecodeError:
        name = getattr(message_type, "__name__", "message")
        raise InvalidReplyError(f"reply of {len(reply)} bytes is no {name}") from None


def ask(path: str, request: bytes, reply_type: MessageType[_T], timeout: float | None) -> Plan[_T]:
    """Make one call."""
    return decode(reply_type, (yield from ask_bytes(path, request, timeout)))


def ask_bytes(path: str, request: bytes, timeout: float | None) -> Plan[bytes]:
    """Make one call, without decoding its reply."""
    replies: list[bytes] = []
    yield Calls(path=path, requests=(request,), count=1, receive=replies.append, timeout=timeout)
    return replies[0]
