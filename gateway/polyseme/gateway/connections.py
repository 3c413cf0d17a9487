"""Connections of callers: uvicorn's, with limits on a request's head, and on the time in which a reply is taken."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S: Final = 10.0
"""Seconds within which the head of a request must arrive whole."""
MAX_HEAD_BYTES: Final = 64 << 10
"""Bytes of the head of a request."""
KEEP_ALIVE_S: Final = 75
"""Seconds that a connection may be quiet between two requests; within them a reply must be taken."""


class Connection(HttpToolsProtocol):
    """One connection of a caller."""

    def __init__(self, *args: Any, max_connections: int, head_s: float = HEAD_S, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._max_connections = max_connections
        self._head_s = head_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._reply_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head; close the connection where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._max_connections:
            transport.abort()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget all timers."""
        self._end_head()
        if self._reply_timer is not None:
            self._reply_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head."""
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of a request has more than {MAX_HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a head."""
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Take the head, which is whole."""
        self._end_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Begin to wait until the caller has taken the reply."""
        super().on_response_complete()
        if self._reply_timer is not None:
            self._reply_timer.cancel()
        self._reply_timer = None
        if self.transport.get_write_buffer_size():
            self._reply_timer = self.loop.call_later(KEEP_ALIVE_S, self._give_reply_up)

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self._head_s, self.transport.abort)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_reply_up(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
