"""Send one list of texts as calls that the server accepts, for Embed and Tokenize."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from polyseme.client._convert.indices import shift_texts
from polyseme.client._plans.catalog import Catalog
from polyseme.client._plans.texts.split import (
    BULK_BYTES,
    BULK_TEXTS,
    SMALL_BYTES,
    SMALL_TEXTS,
    CallLimits,
    is_small,
    split,
)
from polyseme.client._transport.channel import MAX_MESSAGE_BYTES
from polyseme.client._transport.rpc import Calls, Plan
from polyseme.client.errors import InvalidArgumentError, MessageTooLargeError, PolysemeError
from polyseme.client.models import Limits, Model

TEXT_INFO_BYTES: Final = 24
"""Bound of one TextInfo in a reply."""
_REPLY_BYTES: Final = 4096  # all else in a reply: timings, model, tags


class TextCalls(NamedTuple):
    """The calls for one list of texts, which is split into ranges.

    Attributes:
        path: /package.Service/Method.
        model: the model's name; "": the default one.
        timeout: seconds for each call.
        text_bytes: bytes of UTF-8 of each text.
        overhead_bytes: bytes of a request without texts.
        encode: serializes the request for a range of the texts; the flag: it is one of several.
        receive: takes the serialized reply to a range; in order.
        reply_bytes: bounds what the reply holds for a text of so many bytes.
        texts_each: how many texts each entry is to the server's limit: a pair is 2.
        name: what the caller calls the list.
    """

    path: str
    model: str
    timeout: float | None
    text_bytes: Sequence[int]
    overhead_bytes: int
    encode: Callable[[range, bool], bytes]
    receive: Callable[[range, bytes], None]
    reply_bytes: Callable[[Model, int], int]
    texts_each: int = 1
    name: str = "texts"


def send_texts(calls: TextCalls, catalog: Catalog) -> Plan[None]:
    """Send all texts, in one call or several.

    A small list goes out at once, without asking the server for its limits; it is split if the server refuses it.

    Raises:
        InvalidArgumentError: a text is over the server's limit: index, got, limit.
    """
    model = catalog.known(calls.model)
    everything = range(len(calls.text_bytes))
    if model is None and is_small(calls.text_bytes):
        try:
            yield from _send(calls, [everything])
        except (InvalidArgumentError, MessageTooLargeError) as refused:
            ranges = yield from _smaller_ranges(calls, catalog, refused)
        else:
            return
    else:
        ranges = plan_ranges(calls, model or (yield from catalog.get(calls.model, calls.timeout)))
    yield from _send(calls, ranges)


def _smaller_ranges(calls: TextCalls, catalog: Catalog, refused: PolysemeError) -> Plan[list[range]]:
    """Split the texts that the server refused, or raise its refusal if their size was not the reason."""
    if len(calls.text_bytes) == 1:
        raise refused
    try:
        model = yield from catalog.get(calls.model, calls.timeout)
    except PolysemeError:
        raise refused from None
    ranges = plan_ranges(calls, model)
    if len(ranges) == 1:
        raise refused
    return ranges


def plan_ranges(calls: TextCalls, model: Model) -> list[range]:
    """Split the texts into calls within the limits of the server.

    Raises:
        InvalidArgumentError: a text alone is over the limit: index, got, limit.
    """
    check_text_bytes(calls.text_bytes, model.limits)
    message = message_bytes(model.limits)
    texts, sent = (SMALL_TEXTS, SMALL_BYTES) if is_small(calls.text_bytes) else (BULK_TEXTS, BULK_BYTES)
    limits = CallLimits(
        max_texts=min(texts, (model.limits.max_texts or texts * calls.texts_each) // calls.texts_each),
        max_request_bytes=min(sent, message - calls.overhead_bytes),
        max_reply_bytes=message - _REPLY_BYTES,
    )
    return split(calls.text_bytes, [calls.reply_bytes(model, size) for size in calls.text_bytes], limits)


def message_bytes(limits: Limits) -> int:
    """Give the largest message in bytes that both sides accept; the SDK's limit where the server names none."""
    return min(limits.max_message_bytes or MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES)


def check_text_bytes(text_bytes: Sequence[int], limits: Limits, name: str = "texts") -> None:
    """Check every text against the server's limit.

    Raises:
        InvalidArgumentError: index, got, limit.
    """
    limit = limits.max_text_bytes
    if limit and text_bytes and max(text_bytes) > limit:
        index, size = next((index, size) for index, size in enumerate(text_bytes) if size > limit)
        field = f"{name}[{index}]"
        raise InvalidArgumentError(f"{field} has {size} bytes of UTF-8; limit {limit} (max_text_bytes)", field=field)


def _send(calls: TextCalls, ranges: Sequence[range]) -> Plan[None]:
    expected = deque(ranges)

    def receive(reply: bytes) -> None:
        calls.receive(expected[0], reply)
        expected.popleft()

    try:
        yield Calls(
            path=calls.path,
            requests=(calls.encode(rows, len(ranges) > 1) for rows in ranges),
            count=len(ranges),
            receive=receive,
            timeout=calls.timeout,
        )
    except PolysemeError as error:  # replies come in order: it is that of the first range without one
        raise shift_texts(error, expected[0].start if expected else 0, calls.name)  # noqa: B904  the same error, its words changed
