"""An EngineClient whose engine is another process, behind a Unix socket: one write a turn of the event loop."""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import cast

from bench.frontends.messages import Inbox, Rows, decode_rows, encode_call, encode_end
from bench.frontends.stub import INFO, POLICY

from polyseme.artifact import Artifact
from polyseme.server.engine.client import Submission
from polyseme.server.errors import EngineError, QueueFullError
from polyseme.server.scheduling import Completed, Observer, Priority


class Outbox:
    """Messages of one turn of the event loop, in one write."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._waiting: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def put(self, message: bytes) -> None:
        """Send it before the next turn."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(message)

    def _flush(self) -> None:
        self._transport.write(b"".join(self._waiting))
        self._waiting.clear()


class RemoteEngines:
    """Makes clients of an engine that runs elsewhere; see `lifecycle.models.Engines`."""

    def __init__(self, path: str) -> None:
        """Take the path of its socket."""
        self._path = path

    def load(self, artifact: Artifact) -> RemoteEngine:
        """Make a client; nothing is loaded here."""
        return RemoteEngine(self._path)

    async def close(self) -> None:
        """Nothing is shared."""


class RemoteEngine(asyncio.Protocol):
    """An EngineClient over a socket."""

    def __init__(self, path: str) -> None:
        self.info = INFO
        self.queued_tokens = self.queued_texts = 0
        self._path = path
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Completed]] = {}
        self._inbox = Inbox()
        self._outbox: Outbox
        self._transport: asyncio.WriteTransport
        self._connecting: asyncio.Task[None]

    def start(self, observer: Observer) -> None:
        """Connect. The engine reports its batches itself."""
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        await asyncio.get_running_loop().create_unix_connection(lambda: self, self._path)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._outbox = Outbox(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take the rows of calls."""
        for message in self._inbox.feed(data):
            number, rows = decode_rows(message)
            future = self._waiting.get(number)
            if future is not None and not future.done():
                self._end(future, rows)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what waits: the engine has ended."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(EngineError("the engine has ended"))

    def admit(self, priority: Priority, caller: str, deadline: float = math.inf) -> None:
        """Refuse by what the engine said last."""
        if self.queued_tokens >= POLICY.max_queue_tokens:
            raise QueueFullError(f"queue has {self.queued_tokens} tokens", retry_after_s=1.0)

    async def wait_for_room(self, priority: Priority, caller: str) -> None:
        """Return when the engine has room, by what it said last."""
        while self.queued_tokens >= POLICY.max_queue_tokens:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def submit(self, submission: Submission) -> Completed:
        """Run texts; see `EngineClient`."""
        if self._transport.is_closing():
            raise EngineError("the engine has ended")
        number = next(self._numbers)
        future: asyncio.Future[Completed] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._outbox.put(encode_call(number, submission))
        try:
            return await future
        except asyncio.CancelledError:
            self._outbox.put(encode_end(number))
            raise
        finally:
            del self._waiting[number]

    async def close(self) -> None:
        """Disconnect."""
        self._transport.close()

    def release(self) -> None:
        """Hold nothing."""

    def _end(self, future: asyncio.Future[Completed], rows: Rows | None) -> None:
        if rows is None:
            future.set_exception(EngineError("a text could not be run"))
            return
        self.queued_tokens = rows.queued_tokens
        future.set_result(rows.completed)
