"""Read the body of a request, within its limit, and what all of them have alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request

from polyseme.gateway.errors import GoneError, HttpError

_JSON: Final = "application/json"
_CLOSE: Final = {"connection": "close"}
_MAX_NAME: Final = 1024  # characters


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body.

    A body over the limit is read to its end, and dropped, up to twice the limit: most clients read no answer before
    they have sent all.

    Raises:
        HttpError: 413, it is over the limit.
        GoneError: the caller left meanwhile.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > 2 * limit:
        raise _too_large(f"{announced} bytes", limit)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > 2 * limit:
                break
            if size > limit:
                parts.clear()
            else:
                parts.append(part)
    except ClientDisconnect:
        raise GoneError from None
    if size > limit:
        raise _too_large(f"{size} bytes" if size <= 2 * limit else f"more than {2 * limit} bytes", limit)
    return b"".join(parts)


def parse_object(request: Request, body: bytes) -> dict[str, Any]:
    """Parse a body that is one JSON object.

    Raises:
        HttpError: 415, it is not said to be JSON; 400, it is not, or is no object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:  # also keeps pages of other sites from calling without a question of the browser's
        raise HttpError(415, f"header content-type: {_JSON} is read, and nothing else")
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"the body is no JSON: at character {error.pos} of {len(body)} bytes") from None
    if not isinstance(parsed, dict):
        raise HttpError(400, f"the body is JSON, and no object: got {json_type(parsed)}")
    return parsed


def check_fields(body: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse a field that is not known; its name is not repeated.

    Raises:
        HttpError: 400, there is one.
    """
    if any(name not in known for name in body):
        raise HttpError(400, f"the body has a field that is not known; known are {', '.join(known)}")


def name_in(body: Mapping[str, Any], field: str) -> str | None:
    """Read a name that may be left out or empty: then None.

    Raises:
        HttpError: 400, it is no string, or too long.
    """
    name = body.get(field)
    if name is not None and not (isinstance(name, str) and len(name) <= _MAX_NAME):
        raise HttpError(400, f"{field} is not a string of at most {_MAX_NAME} characters", param=field)
    return name or None


def json_type(value: object) -> str:
    """Name the JSON type of a value that was parsed."""
    names = {
        bool: "a boolean",
        str: "a string",
        list: "an array",
        dict: "an object",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null")


def _too_large(got: str, limit: int) -> HttpError:
    return HttpError(413, f"the body has {got}; limit {limit} (--max-body-bytes)", headers=_CLOSE)
