"""Reads the messages of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
from google.protobuf.message import Message

from polyseme.server.errors import ServerError
from polyseme.server.lifecycle.admission import Admission
from polyseme.server.wire.calls.transfers import ServicerContext, Transfers
from polyseme.server.wire.messages.intake import Intake


class Reader:
    """Reads a stream until its caller has sent the last message, or no more calls are let in.

    Attributes:
        cut_off: whether it ended before the last message.
    """

    def __init__(self, context: ServicerContext, admission: Admission, intake: Intake, transfers: Transfers) -> None:
        self._context = context
        self._closed = admission.closed
        self._intake = intake
        self._transfers = transfers
        self.cut_off = False

    async def messages(self) -> AsyncIterator[Message | ServerError]:
        """Read the messages; in place of one that cannot be read, give the error that says why."""
        closed = asyncio.ensure_future(self._closed.wait())
        reads = [closed]
        try:
            while True:
                read = asyncio.ensure_future(self._transfers.receive(self._context, may_idle=True))
                reads[1:] = [read]
                await asyncio.wait((read, closed), return_when=asyncio.FIRST_COMPLETED)
                if not read.done():
                    self.cut_off = True
                    return
                data = read.result()
                if data is grpc.aio.EOF:
                    return
                yield await self._message(data)
        finally:
            for waiting in reads:  # a read that goes on would hold the call, and the replies that it keeps
                waiting.cancel()

    async def _message(self, data: bytes) -> Message | ServerError:
        try:
            return await self._intake.read(data)
        except ServerError as error:
            return error
