"""The steps that plans consist of: calls and streams as plain bytes, so that everything above them does no I/O.

An operation of the SDK is a generator, a `Plan`: it yields steps, is resumed with the result of each (or
with the error that ended it, thrown into it), and returns its result. `Client` and `AsyncClient` only drive plans.

    Calls                                  unary calls, several under way at once
    OpenStream, Send, Receive, EndStream   one stream at a time
    Pause                                  waiting
    Pull, Emit                             the caller's texts, one by one; values handed to the caller meanwhile
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

from google.protobuf.message import DecodeError

from polyseme.client.errors import InvalidReplyError, PolysemeError

MAX_IN_FLIGHT: Final = 4
"""Calls of one operation that are under way at once: enough to hide the round trip behind the server's work, few enough
to leave room for other callers."""

EMBED: Final = "/polyseme.v1.EmbeddingService/Embed"
EMBED_TOKENS: Final = "/polyseme.v1.EmbeddingService/EmbedTokens"
EMBED_SPANS: Final = "/polyseme.v1.EmbeddingService/EmbedSpans"
STREAM_EMBED: Final = "/polyseme.v1.EmbeddingService/StreamEmbed"
SIMILARITY: Final = "/polyseme.v1.EmbeddingService/Similarity"
TOKENIZE: Final = "/polyseme.v1.EmbeddingService/Tokenize"
CLASSIFY: Final = "/polyseme.v1.PredictionService/Classify"
TAG_TOKENS: Final = "/polyseme.v1.PredictionService/TagTokens"
ANSWER: Final = "/polyseme.v1.PredictionService/Answer"
RERANK: Final = "/polyseme.v1.PredictionService/Rerank"
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
        timeout: seconds for each call; None: without end. Within this time a failed call may be sent again, see
            `sending_again`.
    """

    path: str
    requests: Iterable[bytes]
    count: int
    receive: Callable[[bytes], None]
    timeout: float | None


class OpenStream(NamedTuple):
    """Open a stream of this path, without a deadline; the one before has been ended."""

    path: str


class Send(NamedTuple):
    """Hand a serialized request to the stream, which never waits; None: no more will follow."""

    request: bytes | None


class Receive(NamedTuple):
    """Wait for the next serialized reply of the stream, at most this many seconds; gives None where none came.

    A stream that has ended raises: its status, or UnavailableError where that is OK.
    """

    timeout: float | None


class EndStream(NamedTuple):
    """Wait at most this many seconds for the server to end the stream, then cancel it if it is still open."""

    grace_s: float = 0.0


class Pause(NamedTuple):
    """Wait; ends early where the client is closed."""

    seconds: float


class Pull(NamedTuple):
    """Take the next object from the iterable that the caller passed; gives EXHAUSTED after the last."""


class Emit(NamedTuple):
    """Hand values to the caller; the plan goes on once they are taken."""

    values: Sequence[Any]


EXHAUSTED: Final = object()
"""The answer to Pull after the last object."""

Step: TypeAlias = Calls | OpenStream | Send | Receive | EndStream | Pause | Pull | Emit
Plan: TypeAlias = Generator[Step, Any, _T]


def resume(plan: Generator[Step, Any, Any], answer: object, error: PolysemeError | None) -> Step:
    """Go on with a plan after a step; give the next step, or raise StopIteration with the result."""
    return plan.send(answer) if error is None else plan.throw(error)


def no_reply_within(timeout: float) -> str:
    """Word the error of a timeout."""
    return f"no reply within {timeout:g} s (timeout: seconds, above 0; math.inf: no limit)"


class MessageType(Protocol[_Reply_co]):
    """A generated message class, as far as decoding needs it."""

    @staticmethod
    def FromString(s: bytes, /) -> _Reply_co:  # noqa: N802  protobuf's name
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
