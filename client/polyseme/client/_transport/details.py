"""Read the details that a server sends with an error: those of google.rpc.Status, in a trailer.

Trailers that cannot be read count as absent: they must not hide the error that they came with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias

from polyseme.client._convert import wire as _wire
from polyseme.client._convert.indices import checked_field

_BAD_REQUEST: Final = b"type.googleapis.com/google.rpc.BadRequest"
_RETRY_INFO: Final = b"type.googleapis.com/google.rpc.RetryInfo"
_MAX_VIOLATIONS: Final = 16  # as many as a server sends
_MAX_REQUEST_ID: Final = 128  # characters

Trailers: TypeAlias = Iterable[tuple[str, str | bytes]]


def retry_after(trailers: Trailers) -> float | None:
    """Give the seconds until a retry is welcome; None: the server does not say.

    Source: google.rpc.RetryInfo, or else grpc-retry-pushback-ms.
    """
    values = _by_name(trailers)
    try:
        for value in _details(values, _RETRY_INFO):
            seconds = _seconds(_message(value, 1))  # RetryInfo: 1 retry_delay
            if seconds is not None:
                return seconds
    except ValueError:
        pass
    pushback = values.get("grpc-retry-pushback-ms")
    if isinstance(pushback, str) and pushback.isdecimal():
        return int(pushback) / 1000
    return None


def wrong_field(trailers: Trailers) -> str | None:
    """Give the first field of the request that the server calls wrong; None: it names none.

    Returns:
        The field, spelled as in `texts[3]`, texts counted within the request.
    Source: google.rpc.BadRequest.
    """
    try:
        for value in _details(_by_name(trailers), _BAD_REQUEST):
            for number, violation in islice(_wire.fields(value), _MAX_VIOLATIONS):
                if number == 1 and isinstance(violation, bytes):  # BadRequest: 1 field_violations
                    field = checked_field(_message(violation, 1).decode())  # FieldViolation: 1 field
                    if field is not None:
                        return field
    except ValueError:
        pass
    return None


def request_id(trailers: Trailers) -> str | None:
    """Give the id of the call, by which the server's log names it; None: there is none, or no log would have it."""
    value = _by_name(trailers).get("x-request-id")
    if not isinstance(value, str) or len(value) > _MAX_REQUEST_ID:
        return None
    return value if value.isascii() and value.isprintable() and value else None


def _by_name(trailers: Trailers) -> dict[str, str | bytes]:
    return dict(iter(trailers))  # old grpcio: dict() takes aio.Metadata for a mapping, and fails


def _details(values: dict[str, str | bytes], type_url: bytes) -> Iterator[bytes]:
    """Yield the serialized messages of one type among google.rpc.Status.details."""
    status = values.get("grpc-status-details-bin")
    if not isinstance(status, bytes):
        return
    for number, detail in _wire.fields(status):  # Status: 3 details
        if number == 3 and isinstance(detail, bytes) and _message(detail, 1) == type_url:  # Any: 1 type_url, 2 value
            yield _message(detail, 2)


def _message(data: bytes, number: int) -> bytes:
    """Give a field that is a string, bytes or a message; empty where it is absent or something else."""
    value = dict(_wire.fields(data)).get(number, b"")
    return value if isinstance(value, bytes) else b""


def _seconds(duration: bytes) -> float | None:
    parts = dict(_wire.fields(duration))
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)  # Duration: 1 seconds, 2 nanos
    if isinstance(seconds, int) and isinstance(nanos, int) and seconds < 1 << 32 and nanos < 10**9:
        return seconds + nanos / 1e9
    return None
