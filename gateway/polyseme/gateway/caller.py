"""The caller of a request: its key, its address, the id of its request, as they go on to the server."""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from polyseme.gateway.errors import HttpError

_BEARER: Final = "bearer"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")  # those that a Polyseme server takes
_MAX_FORWARDED: Final = 1024  # characters of x-forwarded-for that are passed on


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller of one request.

    Attributes:
        key: that it showed, which goes on as the server's token; None: it showed none.
        request_id: by which the answer and the server's log name the request.
        metadata: the headers that go on to the server.
    """

    key: str | None
    request_id: str
    metadata: tuple[tuple[str, str], ...]


_CURRENT: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


def begin(caller: Caller) -> None:
    """Make the calls of this task, and of tasks that it starts, those of a caller."""
    _CURRENT.set(caller)


def current_key() -> str | None:
    """Give the token for a call; None: none."""
    caller = _CURRENT.get()
    return None if caller is None else caller.key


def current_metadata() -> tuple[tuple[str, str], ...]:
    """Give the headers for a call."""
    caller = _CURRENT.get()
    return () if caller is None else caller.metadata


def caller_of(request: Request) -> Caller:
    """Read the caller of a request. A key is not read here, see `key_of`."""
    given = request.headers.get("x-request-id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(8).hex()
    metadata = [("x-request-id", request_id)]
    if forwarded := _forwarded_for(request):
        metadata.append(("x-forwarded-for", forwarded))
    if (trace := request.headers.get("traceparent", "")) and _fits(trace, 128):
        metadata.append(("traceparent", trace))
    return Caller(key=None, request_id=request_id, metadata=tuple(metadata))


def key_of(request: Request) -> str | None:
    """Read the key of `Authorization: Bearer KEY`; None: there is none.

    Raises:
        HttpError: 401, it is of another scheme, or no header of the server can carry it.
    """
    given = request.headers.get("authorization", "")
    scheme, _, key = given.partition(" ")
    key = key.strip()
    if not given or (scheme.lower() == _BEARER and not key):
        return None
    if scheme.lower() != _BEARER or not _fits(key, len(key)):
        raise HttpError(
            401,
            "header authorization: Bearer KEY is read, with a key of printable ASCII",
            kind="authentication_error",
            code="invalid_api_key",
            headers={"www-authenticate": "Bearer"},
        )
    return key


def _forwarded_for(request: Request) -> str:
    """Append the address that called to those that proxies before named, as each proxy does."""
    before = ", ".join(request.headers.getlist("x-forwarded-for"))
    address = request.client.host if request.client else ""
    hops = (before if _fits(before, _MAX_FORWARDED) else "", address)
    return ", ".join(filter(None, hops))


def _fits(value: str, length: int) -> bool:
    return value.isascii() and value.isprintable() and len(value) <= length
