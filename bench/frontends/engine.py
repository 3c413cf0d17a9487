"""The process of an engine: one scheduler for the calls of every front end that connects.

Usage: python -m bench.frontends.engine SOCKET DIMENSIONS
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import cast

from bench.frontends.messages import Inbox, decode_call, encode_end, encode_rows
from bench.frontends.remote import Outbox
from bench.frontends.stub import StubEngine

from polyseme.server.engine.client import Submission
from polyseme.server.scheduling import BatchReport, Completed


class Observer:
    """Counts what its metrics would show.

    Attributes:
        batches: run.
        texts: in them.
    """

    def __init__(self) -> None:
        self.batches = self.texts = 0

    def batch_done(self, report: BatchReport) -> None:
        """Count one."""
        self.batches += 1
        self.texts += report.texts


class FrontEnd(asyncio.Protocol):
    """The connection of one front end."""

    def __init__(self, engine: StubEngine) -> None:
        self._engine = engine
        self._inbox = Inbox()
        self._calls: dict[int, asyncio.Task[Completed]] = {}
        self._outbox: Outbox

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._outbox = Outbox(cast("asyncio.WriteTransport", transport))

    def data_received(self, data: bytes) -> None:
        """Submit calls, and drop those whose callers have gone."""
        for message in self._inbox.feed(data):
            number, submission = decode_call(message)
            if submission is not None:
                self._submit(number, submission)
            elif number in self._calls:
                self._calls[number].cancel()

    def connection_lost(self, error: Exception | None) -> None:
        """Drop what it waited for: the front end has ended."""
        for call in self._calls.values():
            call.cancel()

    def _submit(self, number: int, submission: Submission) -> None:
        call = self._calls[number] = asyncio.get_running_loop().create_task(self._engine.submit(submission))
        call.add_done_callback(partial(self._done, number))

    def _done(self, number: int, call: asyncio.Task[Completed]) -> None:
        del self._calls[number]
        if call.cancelled():
            return
        failed = call.exception() is not None
        self._outbox.put(
            encode_end(number) if failed else encode_rows(number, call.result(), self._engine.queued_tokens)
        )


async def main() -> None:
    """Serve front ends until it is ended."""
    path, dimensions = sys.argv[1], int(sys.argv[2])
    engine = StubEngine(dimensions)
    engine.start(Observer())
    server = await asyncio.get_running_loop().create_unix_server(lambda: FrontEnd(engine), path)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
