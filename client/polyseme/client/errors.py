"""The errors that the SDK raises on purpose.

PolysemeError
├── InvalidArgumentError      also ValueError: an argument is wrong; found here or by the server
├── NotFoundError             no such model, or no such service
├── FailedPreconditionError   the model cannot do what is asked: it has no head for it
├── UnauthenticatedError      no token or certificate, or a wrong one
├── PermissionDeniedError     the server knows the caller and refuses
├── ResourceExhaustedError    the server is full; retry_after says when to try again
│   └── MessageTooLargeError  a request or reply over the limit of one message
├── UnavailableError          nobody listens, or the server is starting or draining
├── DeadlineExceededError     also TimeoutError: no reply within the timeout
├── CancelledError            the server cancelled the call
├── UnimplementedError        the server does not know this call
├── InternalError             a fault of the server; its message carries an id that the server's log repeats
├── InvalidReplyError         the reply breaks the contract
├── ModelChangedError         one list or stream of texts was answered by two versions of a model
├── ClosedClientError         the client was closed, before the call or under it
├── ForkedProcessError        also RuntimeError: the parent was inside gRPC when it forked this process
├── EventLoopError            also RuntimeError: another event loop that runs uses this AsyncClient
├── LocalServerError          the server of Client.local ended, or has no place for its socket
└── MissingDependencyError    also ImportError: an optional package is not installed

No message holds a part of a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from polyseme.client.results import EmbedResult


class PolysemeError(Exception):
    """A refusal or failure of the SDK or the server; the message is one line.

    Attributes:
        code: The gRPC status code, or None where no call was answered.
        target: The address that was called, or None where the error was found before a call.
        field: The argument, or field of the request, that is wrong, spelled as in `texts[3]`, `texts[2].words[0]` or
            `dimensions`. Texts are counted as the caller passed them. None where no single field is known to be wrong.
        request_id: The id of the call, by which the server's log and its traces name it. None where no server has
            answered.
        partial: Where a list of texts was sent in several requests: the result of the first texts, those answered
            before one failed; an EmbedResult, or a list for tokenize, embed_tokens and embed_words. None: none was.
    """

    partial: EmbedResult | list[Any] | None = None

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        target: str | None = None,
        field: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.target = target
        self.field = field
        self.request_id = request_id


class InvalidArgumentError(PolysemeError, ValueError):
    """An argument is wrong; the message says what, got, limit."""


class NotFoundError(PolysemeError):
    """The server holds no such model, or knows no such service."""


class FailedPreconditionError(PolysemeError):
    """The model cannot do what is asked: it has no head for it. The message names those that it has."""


class UnauthenticatedError(PolysemeError):
    """The server asks for a token or a certificate, and got none or a wrong one."""


class PermissionDeniedError(PolysemeError):
    """The server knows the caller and refuses."""


class ResourceExhaustedError(PolysemeError):
    """The server has no room for the call.

    Attributes:
        retry_after: Seconds after which the server welcomes another try, or None where it did not say.
    """

    retry_after: float | None = None


class MessageTooLargeError(ResourceExhaustedError):
    """A request or a reply is larger than one message may be; trying again does not help."""


class UnavailableError(PolysemeError):
    """Nobody listens at the target, or the server is starting or draining; the SDK's own retries are used up."""


class DeadlineExceededError(PolysemeError, TimeoutError):
    """No reply within the timeout."""


class CancelledError(PolysemeError):
    """The call was cancelled at the server."""


class UnimplementedError(PolysemeError):
    """The server does not know this call: it is older than the SDK, or not a Polyseme server."""


class InternalError(PolysemeError):
    """A fault of the server, or a status that it should not use."""


class InvalidReplyError(PolysemeError):
    """A reply cannot be decoded, or contradicts its request."""


class ModelChangedError(PolysemeError):
    """The calls of one list of texts were answered by different models, whose vectors cannot be compared."""


class ClosedClientError(PolysemeError):
    """A method was called after close(), or was under way then."""


class ForkedProcessError(PolysemeError, RuntimeError):
    """The parent was inside gRPC when it forked this process, in which gRPC would hang or crash; nothing was sent."""


class EventLoopError(PolysemeError, RuntimeError):
    """An AsyncClient is used by an event loop while another one, which still runs, uses it too; nothing was sent."""


class LocalServerError(PolysemeError):
    """The server of `Client.local` ended before it was ready, or its socket has no private place."""


class MissingDependencyError(PolysemeError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""
