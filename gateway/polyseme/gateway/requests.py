"""Run what answers a request: within the limits, in its caller's name, for as long as the caller waits."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from polyseme.client import PolysemeError
from polyseme.gateway.bodies import read_body
from polyseme.gateway.caller import begin, caller_of, key_of
from polyseme.gateway.config import GatewayConfig
from polyseme.gateway.errors import GoneError, HttpError
from polyseme.gateway.statuses import http_error, retry_headers

log: Final = logging.getLogger(__name__)

_FULL_RETRY_S: Final = 1.0
_FOR_BROWSERS: Final = {  # pages of other sites load no answer as a script, a style or an image
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request that has arrived whole.

    Attributes:
        request: its head.
        body: its body.
        deadline: when its answer must have been found, on the clock of `time.monotonic`.
    """

    request: Request
    body: bytes
    deadline: float

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline, above 0."""
        return max(self.deadline - time.monotonic(), 1e-3)


Answer: TypeAlias = Callable[[Arrived], Awaitable[Response]]
"""Answers a request; raises HttpError or PolysemeError."""


class Requests:
    """Makes endpoints of Starlette, and counts the requests that they answer."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._under_way = 0

    def endpoint(self, answer: Answer, *, counted: bool = True) -> Callable[[Request], Awaitable[Response]]:
        """Make an endpoint that answers in every case, an error too; its answer carries the id of the request.

        Args:
            answer: answers a request that has arrived.
            counted: whether the gateway may be too full for it.
        """

        async def respond(request: Request) -> Response:
            caller = caller_of(request)
            begin(caller)
            try:
                begin(replace(caller, key=key_of(request)))
                response = await (self._admitted if counted else self._within_time)(request, answer)
            except Exception as error:
                response = self._error_response(error, caller.request_id)
            response.headers.update({"x-request-id": caller.request_id, **_FOR_BROWSERS})
            return response

        return respond

    async def _admitted(self, request: Request, answer: Answer) -> Response:
        if self._under_way >= self._config.max_requests:
            raise HttpError(
                429,
                f"{self._under_way} requests are under way; limit {self._config.max_requests} (--max-requests)",
                kind="rate_limit_error",
                code="rate_limit_exceeded",
                headers={**retry_headers(_FULL_RETRY_S), "connection": "close"},
            )
        self._under_way += 1
        try:
            return await self._within_time(request, answer)
        finally:
            self._under_way -= 1

    async def _within_time(self, request: Request, answer: Answer) -> Response:
        seconds, deadline = self._config.timeout_s, time.monotonic() + self._config.timeout_s
        body: bytes | None = None
        try:
            async with asyncio.timeout(seconds):
                body = await read_body(request, self._config.max_body_bytes)
                arrived = Arrived(request=request, body=body, deadline=deadline)
                return await _while_caller_waits(request.receive, answer(arrived))
        except TimeoutError as error:  # the SDK's error for a deadline is one too
            if body is None:
                raise HttpError(
                    408, f"the body did not arrive within {seconds:g} s (--timeout)", headers={"connection": "close"}
                ) from error
            raise HttpError(
                504, f"no answer within {seconds:g} s (--timeout)", kind="server_error", code="timeout"
            ) from error

    def _error_response(self, error: Exception, request_id: str) -> Response:
        match error:
            case HttpError():
                answer = error
            case PolysemeError():
                answer = http_error(error)
            case _:
                answer = HttpError(500, f"the gateway failed; its log has {request_id}", kind="server_error")
                log.error("request %s: %s", request_id, _place_of(error))
        if answer.status >= 500 and isinstance(error, PolysemeError):
            log.warning("request %s: %d: %s", request_id, answer.status, error)
        return json_response(answer.body(), status=answer.status, headers=answer.headers)


def json_response(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:  # noqa: ANN401
    """Make a JSON answer; arrays of numpy become arrays of numbers, with as many digits as tell them apart."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status_code=status, headers=headers, media_type="application/json")


async def _while_caller_waits(receive: Receive, answer: Awaitable[Response]) -> Response:
    """Wait for the answer; cancel it where the caller leaves before.

    Raises:
        GoneError: the caller has left.
    """
    working = asyncio.ensure_future(answer)
    leaving = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise GoneError
        return await working
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _place_of(error: Exception) -> str:
    """Name a fault and its place; its message may hold a text, and is left out."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}, line {frame.lineno} of {frame.filename}"
