"""The house's services behind pygrpc-native's front: HTTP/2 and gRPC on tokio's threads, everything after it unchanged.

The front gives calls in batches to a thread, which wakes the event loop once for each batch. There a call runs through
the same handler as under grpc.aio (`server/wire/calls.py`), with a context that answers from what the front gave. No
TLS, no streams: the front has neither.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import grpc
from pygrpc_native import EVENT_CALL, NativeGrpcFront

METHOD = "/polyseme.v1.EmbeddingService/Embed"
MOST_EVENTS = 256


class Details:
    """A call before it is begun; see `grpc.HandlerCallDetails`."""

    def __init__(self, metadata: Any) -> None:
        self.method, self.invocation_metadata = METHOD, metadata


class EndedError(Exception):
    """`abort` has been called."""


class Context:
    """What the house asks of a `grpc.aio.ServicerContext`."""

    def __init__(self, request: bytes, details: Any) -> None:
        self._request = request
        self._metadata, self._peer, remaining = details
        self._deadline = None if remaining is None else time.monotonic() + remaining
        self.trailing: tuple[tuple[str, str], ...] = ()
        self.status: tuple[int, str] = (0, "")

    def invocation_metadata(self) -> Any:
        """As the caller sent it."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Seconds to the deadline."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    def peer(self) -> str:
        """The address."""
        return str(self._peer)

    def peer_identities(self) -> None:
        """None: there is no TLS."""

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Keep it for the end."""
        self.trailing = tuple(metadata)

    async def read(self) -> bytes:
        """The request, which has come whole."""
        return self._request

    async def abort(self, code: grpc.StatusCode, message: str, trailing: Any = ()) -> None:
        """Keep the status."""
        self.status, self.trailing = (code.value[0], message), tuple(trailing)
        raise EndedError


class NativeServer:
    """Takes calls from a front, and answers them on the event loop."""

    def __init__(self, handlers: Any, target: str, *, reuse_port: bool) -> None:
        self._handlers = handlers
        self._front = NativeGrpcFront(target, [(METHOD, False)], io_threads=1, call_details=True, reuse_port=reuse_port)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._front.start()
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        while (events := self._front.recv_batch_details(MOST_EVENTS)) is not None:
            self._loop.call_soon_threadsafe(self._begin, events)

    def _begin(self, events: Any) -> None:
        for kind, number, _, request, _, details in events:
            if kind == EVENT_CALL:
                task = self._loop.create_task(self._answer(number, request, details))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, number: int, request: bytes, details: Any) -> None:
        context = Context(request, details)
        handler = self._handlers.service(Details(details[0]))
        try:
            reply = await handler.stream_unary(None, context)
        except EndedError:
            self._front.fail(number, *context.status, context.trailing)
        else:
            self._front.respond(number, reply, None, context.trailing)
