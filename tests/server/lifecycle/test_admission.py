import asyncio

import pytest

from polyseme.server.errors import NotReadyError, QueueFullError
from polyseme.server.lifecycle.admission import Admission
from polyseme.server.security.tokens import Tokens


def admission(most=2):
    return Admission(most, Tokens(""))


def test_no_call_comes_in_before_it_is_open_and_after_it_is_closed():
    it = admission()
    with pytest.raises(NotReadyError, match="starting"):
        it.check()
    it.open()
    it.check()
    it.close("draining: soon gone")
    assert it.closed.is_set()
    with pytest.raises(NotReadyError, match="draining: soon gone"):
        it.check()


def test_one_call_more_than_the_limit_is_refused():
    it = admission(most=2)
    it.open()
    first, _ = it.enter(), it.enter()
    it.check()
    it.enter()
    with pytest.raises(QueueFullError, match="2 calls are under way; limit 2") as error:
        it.check()
    assert error.value.retry_after_s > 0
    it.leave(first)
    it.check()


def test_wait_until_left_waits_for_the_calls_of_before_alone():
    async def main():
        it = admission()
        before = it.enter()
        waiting = asyncio.create_task(it.wait_until_left())
        await asyncio.sleep(0)
        it.enter()  # of after
        assert not waiting.done()
        it.leave(before)
        await asyncio.wait_for(waiting, 300)
        assert it.calls == 1

    asyncio.run(main())


def test_wait_until_quiet_ends_with_the_calls_or_with_the_time():
    async def main():
        it = admission()
        call = it.enter()
        await it.wait_until_quiet(0)
        assert it.calls == 1
        waiting = asyncio.create_task(it.wait_until_quiet(3600))
        await asyncio.sleep(0)
        assert not waiting.done()
        it.leave(call)
        await asyncio.wait_for(waiting, 300)

    asyncio.run(main())
