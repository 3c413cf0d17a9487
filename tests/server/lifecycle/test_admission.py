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


def test_a_caller_alone_may_have_all_calls():
    it = admission(most=4)
    it.open()
    for _ in range(4):
        it.enter("a")
        it.check("a")
    it.enter("a")
    with pytest.raises(QueueFullError, match="4 calls are under way; limit 4"):
        it.check("a")


def test_others_are_let_in_beside_who_has_all_calls_up_to_half_of_their_share():
    it = admission(most=8)
    it.open()
    for _ in range(8):
        it.enter("flood")
    for _ in range(2):
        it.enter("light")
        it.check("light")
    it.enter("light")
    with pytest.raises(QueueFullError, match="10 calls are under way; limit 8"):
        it.check("light")


def test_others_than_who_has_most_have_no_more_than_the_limit_together():
    it = admission(most=4)
    it.open()
    for number in range(5):
        it.enter(f"caller {number}")
        it.check(f"caller {number}")
    it.enter("caller 5")
    with pytest.raises(QueueFullError, match="5 calls are under way; limit 4"):
        it.check("caller 5")


def test_at_twice_the_limit_calls_are_refused_whoever_sends_them():
    it = admission(most=2)
    it.open()
    for _ in range(3):
        it.enter()
    it.check_arrival(())
    it.enter()
    with pytest.raises(QueueFullError, match="4 calls are under way; limit 2"):
        it.check_arrival(())


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
