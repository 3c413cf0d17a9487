import asyncio

import pytest

from polyseme.server.errors import DeadlineExpiredError, QueueFullError
from polyseme.server.memory.budget import Budget
from polyseme.server.wire.calls.transfers import Transfers

LARGEST = 1000


class Context:
    """Of a call whose caller neither sends nor takes anything."""

    def __init__(self):
        self.go_on = asyncio.Event()

    async def read(self):
        await self.go_on.wait()
        return b"request"

    async def write(self, data):
        await self.go_on.wait()


class Ended(list):
    def transfer_ended(self, what, why):
        self.append((what, why))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def begun(clock):
    ended = Ended()
    return Transfers(Budget(), 60.0, LARGEST, ended, clock), ended


async def settled(*tasks):
    """What came of tasks."""
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 300)


def test_a_request_that_comes_is_given(clock):
    async def main():
        transfers, ended = begun(clock)
        context = Context()
        reading = asyncio.create_task(transfers.receive(context))
        await asyncio.sleep(0)
        assert (transfers.requests, transfers.under_way) == (1, True)
        context.go_on.set()
        assert await reading == b"request"
        assert (transfers.requests, transfers.under_way, ended) == (0, False, [])

    asyncio.run(main())


def test_a_request_that_takes_too_long_is_ended_but_not_in_a_stream(clock):
    async def main():
        transfers, ended = begun(clock)
        late, idle = Context(), Context()
        tasks = [
            asyncio.create_task(transfers.receive(late)),
            asyncio.create_task(transfers.receive(idle, may_idle=True)),
        ]
        await asyncio.sleep(0)
        clock.now = 59.0
        transfers.end_late()
        assert ended == []
        clock.now = 61.0
        transfers.end_late()
        transfers.end_late()
        idle.go_on.set()
        first, second = await settled(*tasks)
        assert isinstance(first, DeadlineExpiredError)
        assert str(first) == "the request did not come whole within 60 s"
        assert (second, ended) == (b"request", [("request", "late")])

    asyncio.run(main())


def test_requests_end_from_the_oldest_and_streams_last(clock):
    async def main():
        transfers, ended = begun(clock)
        tasks = [
            asyncio.create_task(transfers.receive(Context(), may_idle=idle)) for idle in (True, False, False, False)
        ]
        await asyncio.sleep(0)
        assert transfers.end_requests(1) == 1
        assert transfers.end_requests(LARGEST + 1) == 2
        assert not tasks[0].done()
        assert transfers.end_requests(5 * LARGEST) == 1
        for each in await settled(*tasks):
            assert isinstance(each, QueueFullError)
            assert each.retry_after_s > 0
        assert ended == [("request", "memory")] * 4

    asyncio.run(main())


def test_a_caller_who_leaves_is_no_refusal(clock):
    async def main():
        transfers, _ = begun(clock)
        reading = asyncio.create_task(transfers.receive(Context()))
        await asyncio.sleep(0)
        transfers.end_requests(1)
        reading.cancel()
        (outcome,) = await settled(reading)
        assert isinstance(outcome, asyncio.CancelledError)

    asyncio.run(main())


def test_replies_are_counted_while_they_are_not_taken(clock):
    async def main():
        transfers, _ = begun(clock)
        context = Context()
        writing = asyncio.create_task(transfers.send(context, bytes(5000)))
        await asyncio.sleep(0)
        assert transfers._budget.total > 2 * 5000
        context.go_on.set()
        await writing
        assert transfers._budget.total == 0

    asyncio.run(main())


def test_a_reply_that_is_left_to_the_core_is_counted_until_its_call_ends(clock):
    async def main():
        transfers, _ = begun(clock)
        taken = asyncio.Event()

        async def call():
            transfers.leave_to_core(5000)
            await taken.wait()

        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        assert transfers._budget.total > 2 * 5000
        taken.set()
        await task
        await asyncio.sleep(0)
        assert transfers._budget.total == 0

    asyncio.run(main())


def test_replies_end_from_the_oldest_but_not_those_on_their_way(clock):
    async def main():
        transfers, ended = begun(clock)
        tasks = []
        for clock.now in (0.0, 1.0, 2.0, 3.0):
            tasks.append(asyncio.create_task(transfers.send(Context(), bytes(100_000))))
            await asyncio.sleep(0)
        assert transfers.end_replies(0) == 0
        assert transfers.end_replies(1) == 1
        await asyncio.sleep(0)
        assert [task.done() for task in tasks] == [True, False, False, False]
        assert transfers.end_replies(10_000_000) == 2
        assert ended == [("reply", "memory")] * 3
        clock.now = 64.0
        transfers.end_late()
        await settled(*tasks)
        assert ended[3:] == [("reply", "late")]
        assert transfers._budget.total == 0

    asyncio.run(main())
