"""The errors that a call, or the start of the server, can end with.

ServerError                      status               meant for
├── InvalidInputError            INVALID_ARGUMENT     the caller: what, got, limit
├── UnauthenticatedError         UNAUTHENTICATED      the caller: no token, or a wrong one
├── UnknownModelError            NOT_FOUND            the caller: the names that exist
├── UnknownServiceError          NOT_FOUND            the caller: health of a service that is not served
├── NoHeadError                  FAILED_PRECONDITION  the caller: the model cannot predict that; the heads it has
├── NotOfferedError              UNIMPLEMENTED        the caller: the methods that another server's contract has here
├── QueueFullError               RESOURCE_EXHAUSTED   the caller: when to try again
├── NotReadyError                UNAVAILABLE          the caller: starting or draining, try another server
├── DeadlineExpiredError         DEADLINE_EXCEEDED    the caller, who has most likely gone
└── EngineError                  INTERNAL             the operator: an id in the log, nothing more to the caller
    └── NotFiniteError           INTERNAL             the same; counted

ConfigError                      exit 2               the operator, at start

No message holds a part of a text: messages reach logs, traces and other people's dashboards.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

FieldPath: TypeAlias = tuple[str | int, ...]
"""A place in a request: names of fields, and indices into lists."""


class ConfigError(Exception):
    """The server cannot start with these settings; one line: what, got, limit."""


class ServerError(Exception):
    """An error that ends a call with a status; its message goes to the caller, unless the status is INTERNAL.

    Attributes:
        status: the name of the gRPC status code.
    """

    status: ClassVar[str] = "INTERNAL"


class InvalidInputError(ServerError):
    """The request cannot be served, however often it is sent.

    Attributes:
        path: the field that is wrong; empty where no single one is.
        problem: what is wrong with it, as it follows the field's name: `: got 0; limits 1..384`.
    """

    status = "INVALID_ARGUMENT"

    def __init__(self, problem: str, path: FieldPath = ()) -> None:
        super().__init__(spelled(path) + problem)
        self.path = path
        self.problem = problem


def spelled(path: FieldPath) -> str:
    """Spell a path as callers write it: `inputs[2].words[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


class UnauthenticatedError(ServerError):
    """The caller has not shown who it is."""

    status = "UNAUTHENTICATED"


class UnknownModelError(ServerError):
    """No model of that name or version."""

    status = "NOT_FOUND"


class UnknownServiceError(ServerError):
    """No service of that name."""

    status = "NOT_FOUND"


class NoHeadError(ServerError):
    """The model has no head that predicts what is asked."""

    status = "FAILED_PRECONDITION"


class NotOfferedError(ServerError):
    """The server has no such method of a service of which it has others."""

    status = "UNIMPLEMENTED"


class QueueFullError(ServerError):
    """Too much work waits already.

    Attributes:
        retry_after_s: seconds until the queue has likely drained.
    """

    status = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadyError(ServerError):
    """The server is starting or draining."""

    status = "UNAVAILABLE"


class DeadlineExpiredError(ServerError):
    """The caller's deadline passed before its work was begun."""

    status = "DEADLINE_EXCEEDED"


class EngineError(ServerError):
    """The engine could not run a text."""


class NotFiniteError(EngineError):
    """The engine gave numbers that are not finite."""
