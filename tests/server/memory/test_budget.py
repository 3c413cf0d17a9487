import asyncio

import pytest

from polyseme.server.errors import QueueFullError
from polyseme.server.memory.budget import Budget, Kind, Share


def test_what_calls_hold_is_counted_by_kind():
    budget = Budget(100)
    one, other = Share(budget), Share(budget)
    one.take(30)
    other.take(20)
    budget.add(Kind.REPLIES, 7)
    one.give_back(10)
    assert [budget.held(kind) for kind in (Kind.WORK, Kind.REPLIES)] == [40, 7]
    one.give_back()
    other.give_back()
    assert budget.total == 7


def test_a_call_beyond_the_limit_is_refused_and_told_when_to_come_again():
    budget = Budget(100)
    Share(budget).take(60)
    with pytest.raises(
        QueueFullError, match="calls hold 60 bytes of memory and this one needs 41 more; limit 100"
    ) as e:
        Share(budget).take(41)
    assert e.value.retry_after_s > 0
    assert (budget.total, budget.wanted, budget.missing) == (60, 41, 1)
    Share(budget).take(40)


def test_the_largest_call_comes_in_where_no_other_holds_anything():
    budget = Budget(100)
    share = Share(budget)
    share.take(90)
    share.take(90)
    with pytest.raises(QueueFullError):
        Share(budget).take(1)


def test_a_call_that_is_slowed_down_waits_until_it_fits():
    async def main():
        budget = Budget(100)
        first, second = Share(budget), Share(budget)
        first.take(80)
        waiting = asyncio.create_task(second.take_when_free(50))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert budget.wanted == 50
        first.give_back()
        await asyncio.wait_for(waiting, 300)
        return budget.total

    assert asyncio.run(main()) == 50


def test_no_call_comes_in_while_memory_is_short():
    budget = Budget()
    budget.refuse_if_short()
    budget.is_short = True
    with pytest.raises(QueueFullError, match="short of memory"):
        budget.refuse_if_short()
