import asyncio

import grpc

from polyseme.server.errors import InvalidInputError
from polyseme.server.lifecycle.admission import open_to_all
from polyseme.server.memory.budget import Budget
from polyseme.server.wire.calls.reader import Reader
from polyseme.server.wire.calls.transfers import Transfers
from polyseme.server.wire.messages.intake import Bounds, Intake
from polyseme.v1.embedding_service_pb2 import EmbedRequest


class Context:
    """Of a stream whose caller sends these messages; None: it sends nothing more, and does not end the stream."""

    def __init__(self, *messages):
        self.left = list(messages)
        self.waiting = asyncio.Event()

    async def read(self):
        message = self.left.pop(0)
        if message is None:
            self.waiting.set()
            await asyncio.Event().wait()
        return message


class Unobserved:
    def transfer_ended(self, what, why):
        raise AssertionError((what, why))


def begun(context):
    """A reader, and the admission that it heeds."""
    admission = open_to_all()
    transfers = Transfers(Budget(), 60.0, 1000, Unobserved())
    intake = Intake(EmbedRequest.DESCRIPTOR, Bounds(entries={EmbedRequest.DESCRIPTOR.full_name: 8}), asyncio.Lock())
    return Reader(context, admission, intake, transfers), admission


def test_a_stream_is_read_until_its_caller_ends_it():
    async def main():
        reader, _ = begun(Context(EmbedRequest(texts=["a"]).SerializeToString(), grpc.aio.EOF))
        assert [message.texts[:] async for message in reader.messages()] == [["a"]]
        assert not reader.cut_off

    asyncio.run(main())


def test_a_message_that_cannot_be_read_is_given_as_its_error_and_the_next_is_read():
    async def main():
        reader, _ = begun(Context(b"\xff", EmbedRequest(texts=["b"]).SerializeToString(), grpc.aio.EOF))
        refused, read = [message async for message in reader.messages()]
        assert isinstance(refused, InvalidInputError)
        assert read.texts[:] == ["b"]

    asyncio.run(main())


def test_a_server_that_closes_cuts_a_stream_off_and_reads_no_further():
    async def main():
        context = Context(EmbedRequest(texts=["a"]).SerializeToString(), None)
        reader, admission = begun(context)
        messages = reader.messages()
        assert (await anext(messages)).texts[:] == ["a"]
        rest = asyncio.ensure_future(anext(messages, None))
        await context.waiting.wait()
        admission.close("draining")
        assert await rest is None
        assert reader.cut_off

    asyncio.run(main())
