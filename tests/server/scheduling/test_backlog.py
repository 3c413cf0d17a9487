import math

from hypothesis import given
from hypothesis import strategies as st

from polyseme.runtime.tasks import PooledVector
from polyseme.server.scheduling import Backlog, BatchPolicy, Entry, Priority


def policy(**changes):
    return BatchPolicy(**{"max_batch_tokens": 1000, "max_batch_texts": 4, "max_queue_tokens": 100, **changes})


def entry(tokens, arrived=0.0, priority=Priority.INTERACTIVE, deadline=math.inf, caller=""):
    task = PooledVector()
    return Entry(ids=[1] * tokens, task=task, priority=priority, arrived=arrived, deadline=deadline, caller=caller)


def backlog(*entries, **changes):
    waiting = Backlog(policy(**changes))
    for e in entries:
        waiting.add(e)
    return waiting


def test_take_leads_with_the_oldest():
    old, new = entry(100, arrived=1.0), entry(10, arrived=2.0)
    assert [old] == backlog(old, new).take(3.0).batch


def test_take_fills_with_similar_lengths_only():
    lead, near, far = entry(20, 1.0), entry(18, 3.0), entry(200, 2.0)
    assert [lead, near] == backlog(lead, far, near).take(4.0).batch


def test_take_respects_min_fill_against_both_ends():
    lead, longer, shorter = entry(100, 1.0), entry(120, 2.0), entry(76, 3.0)
    # 76 would do beside 100, and 120 would; 76 beside 120 is below 0.75.
    batch = backlog(lead, longer, shorter).take(4.0).batch
    assert len(batch) == 2
    assert lead is batch[0]


def test_take_stops_at_max_batch_texts():
    assert len(backlog(*(entry(10, i) for i in range(9))).take(9.0).batch) == 4


def test_take_counts_padding_against_max_batch_tokens():
    lead, near = entry(20, 1.0), entry(18, 2.0)
    assert [lead] == backlog(lead, near, max_batch_tokens=39).take(3.0).batch
    assert [lead, near] == backlog(lead, near, max_batch_tokens=40).take(3.0).batch


def test_take_runs_a_text_longer_than_the_budget_alone():
    long = entry(512, 1.0)
    assert [long] == backlog(long, entry(512, 2.0), max_batch_tokens=100).take(3.0).batch


def test_take_reports_expired_and_never_runs_them():
    late, good = entry(20, 1.0, deadline=2.0), entry(20, 1.5)
    mate = entry(20, 1.7, deadline=2.5)
    dequeued = backlog(late, good, mate).take(3.0)
    assert [good] == dequeued.batch
    assert [late, mate] == dequeued.expired


def test_take_serves_interactive_before_bulk():
    bulk, interactive = entry(20, 1.0, Priority.BULK), entry(200, 2.0)
    waiting = backlog(bulk, interactive)
    assert [interactive] == waiting.take(3.0).batch
    assert [bulk] == waiting.take(3.0).batch


def test_take_does_not_starve_bulk():
    bulk = entry(20, 0.0, Priority.BULK)
    waiting = backlog(bulk, *(entry(200, i) for i in range(50)), max_batch_texts=1, bulk_share=8)
    batches = [waiting.take(99.0).batch for _ in range(8)]
    assert [bulk] == batches[7]


def test_take_fills_an_interactive_batch_with_bulk_of_the_same_length():
    bulk, interactive = entry(20, 1.0, Priority.BULK), entry(20, 2.0)
    assert [interactive, bulk] == backlog(bulk, interactive).take(3.0).batch


def short_call(tokens, *, caller="", of=None, priority=Priority.INTERACTIVE):
    one = entry(tokens, caller=caller, priority=priority)
    one.call_tokens = of or tokens
    return one


def test_a_short_call_overtakes_long_ones():
    long, first, second = entry(200), short_call(12), short_call(11)
    waiting = backlog(long, first, second)
    taken = waiting.take(0.0, short=25)
    assert taken.batch == [first, second]
    assert not taken.leaves_work
    assert waiting.take(0.0, short=25).batch == []
    assert waiting.take(0.0).batch == [long]


def test_what_overtakes_is_short_as_a_whole():
    part, longer, bulk = short_call(12, of=60), short_call(40), short_call(12, priority=Priority.BULK)
    assert backlog(part, longer, bulk).take(0.0, short=25).batch == []
    assert backlog(longer, bulk, part).take(0.0, short=60).batch[0] is longer
    fits = [short_call(12), short_call(12), short_call(12)]
    assert backlog(*fits).take(0.0, short=25).batch == fits[:2]


def test_a_short_call_that_is_cancelled_does_not_overtake():
    gone = short_call(12)
    waiting = backlog(gone, entry(200))
    assert waiting.discard(gone)
    assert waiting.take(0.0, short=25).batch == []


def test_short_calls_of_who_is_a_batch_ahead_do_not_overtake():
    """Of a flood of short calls, no more than a batch beyond what the others have had."""
    flood, other = [short_call(10, caller="flood") for _ in range(40)], entry(200, caller="other")
    waiting = backlog(*flood, other, max_batch_tokens=100, max_batch_texts=40)
    overtook = 0
    while batch := waiting.take(0.0, short=10).batch:
        overtook += len(batch)
    assert overtook == 11
    late = short_call(10, caller="late")
    waiting.add(late)
    assert waiting.take(0.0, short=10).batch == [late]


def test_who_has_more_texts_that_wait_than_a_batch_takes_is_in_no_hurry():
    many = [short_call(10, caller="many") for _ in range(5)]
    waiting = backlog(*many)
    assert waiting.short_texts == 5
    assert waiting.take(0.0, short=10).batch == []
    few = short_call(10, caller="few")
    waiting.add(few)
    assert waiting.take(0.0, short=10).batch == [few]
    waiting.discard(many[0])
    assert waiting.short_texts == 4
    assert waiting.take(0.0, short=10).batch == [many[1]]


def test_a_short_call_whose_deadline_has_passed_is_not_run():
    late, good = short_call(12), short_call(12)
    late.deadline = 1.0
    taken = backlog(late, good, entry(200)).take(2.0, short=25)
    assert (taken.batch, taken.expired) == ([good], [late])


def test_discard_takes_out_once():
    gone, stays = entry(20, 1.0), entry(20, 2.0)
    waiting = backlog(gone, stays)
    assert waiting.discard(gone)
    assert not waiting.discard(gone)
    assert waiting.tokens == 20
    assert [stays] == waiting.take(3.0).batch
    assert not waiting.discard(stays)


def test_full_admits_while_below_the_limit():
    waiting = backlog(entry(99), max_queue_tokens=100)
    assert not waiting.is_full(Priority.INTERACTIVE, "")
    waiting.add(entry(1))
    assert waiting.is_full(Priority.INTERACTIVE, "")


def test_full_for_who_filled_it_and_not_for_others():
    waiting = backlog(*(entry(10, caller="flood") for _ in range(10)), max_queue_tokens=100)
    assert waiting.is_full(Priority.INTERACTIVE, "flood")
    assert not waiting.is_full(Priority.INTERACTIVE, "other")
    waiting.add(entry(24, caller="other"))  # of two callers: half of a share is 25
    assert not waiting.is_full(Priority.INTERACTIVE, "other")
    waiting.add(entry(1, caller="other"))
    assert waiting.is_full(Priority.INTERACTIVE, "other")


def test_full_for_everybody_once_others_than_the_heaviest_fill_it():
    waiting = backlog(*(entry(10, caller=str(n)) for n in range(11)), max_queue_tokens=100)
    assert waiting.is_full(Priority.INTERACTIVE, "new")
    waiting.add(entry(200, caller="0"))
    assert waiting.is_full(Priority.INTERACTIVE, "new")


def test_full_of_bulk_work_lets_interactive_work_in_and_not_the_reverse():
    bulk = backlog(*(entry(50, priority=Priority.BULK, caller="b") for _ in range(3)), max_queue_tokens=100)
    assert not bulk.is_full(Priority.INTERACTIVE, "b")
    interactive = backlog(entry(60, caller="a"), entry(60, caller="b"), max_queue_tokens=100)
    assert interactive.is_full(Priority.BULK, "c")


def test_callers_of_one_priority_take_turns():
    flood = [entry(20, i, caller="flood") for i in range(9)]
    others = [entry(20, 10 + i, caller="other") for i in range(3)]
    waiting = backlog(*flood, *others, max_batch_texts=1)
    led = [waiting.take(99.0).batch[0].caller for _ in range(8)]
    assert led == ["flood", "other"] * 3 + ["flood"] * 2


def test_company_of_who_is_a_batch_ahead_waits():
    """Texts of "b" would fit every batch of "a"; "c" has none that fits, and must not fall behind for it."""
    callers = [entry(n, caller=name) for name, n in (("a", 100), ("c", 10), ("b", 100)) for _ in range(40)]
    waiting = backlog(*callers, max_batch_tokens=400, max_batch_texts=4)
    served = dict.fromkeys("abc", 0)
    for _ in range(30):
        for one in waiting.take(0.0).batch:
            served[one.caller] += one.tokens
    assert max(served["a"], served["b"]) - min(served["a"], served["b"]) <= 800


def test_batches_are_short_while_another_caller_waits_or_has_just_come():
    flood = [entry(20, 1.0, caller="flood") for _ in range(40)]
    waiting = backlog(*flood, max_batch_texts=8, short_for_s=2.0)
    assert len(waiting.take(1.0).batch) == 8
    waiting.add(other := entry(200, 2.0, caller="other"))
    assert other in waiting.take(2.0).batch + waiting.take(2.0).batch
    assert len(waiting.take(3.9).batch) == 2
    assert len(waiting.take(4.1).batch) == 8


def test_bulk_batches_are_short_while_interactive_work_comes_of_the_same_caller_too():
    bulk = [entry(20, 1.0, Priority.BULK) for _ in range(40)]
    waiting = backlog(*bulk, max_batch_texts=8)
    assert len(waiting.take(1.0).batch) == 8
    waiting.add(interactive := entry(20, 2.0))
    assert waiting.take(2.0).batch[0] is interactive
    assert len(waiting.take(2.1).batch) == 2


def test_batches_of_many_callers_are_full():
    many = [entry(20, n, caller=str(n)) for n in range(16)]
    assert len(backlog(*many, max_batch_texts=8).take(99.0).batch) == 8


def test_those_who_wait_are_spread_over_the_runners():
    waiting = Backlog(policy(max_batch_texts=4, max_batch_tokens=1000), runners=2)
    for n in range(4):
        waiting.add(entry(20, n, caller=str(n)))
    assert [len(waiting.take(9.0).batch) for _ in range(3)] == [2, 1, 1]


def test_ready_at_is_at_once_without_max_wait():
    assert backlog(entry(10, 5.0)).ready_at() == 5.0


def test_ready_at_waits_for_company_but_not_for_a_full_batch():
    waiting = backlog(entry(10, 5.0), max_wait_s=0.5)
    assert waiting.ready_at() == 5.5
    for _ in range(3):
        waiting.add(entry(10, 5.1))
    assert -math.inf == waiting.ready_at()


def test_ready_at_is_none_when_empty():
    assert backlog().ready_at() is None


lengths = st.integers(1, 512)
entries = st.builds(
    entry,
    lengths,
    arrived=st.floats(0, 100),
    priority=st.sampled_from(Priority),
    deadline=st.one_of(st.just(math.inf), st.floats(0, 200)),
    caller=st.sampled_from("abc"),
)


@given(
    waiting=st.lists(entries, max_size=60),
    max_batch_tokens=st.integers(1, 4096),
    max_batch_texts=st.integers(1, 64),
    min_fill=st.floats(0, 1),
    discarded=st.sets(st.integers(0, 59)),
)
def test_backlog_loses_and_repeats_nothing(waiting, max_batch_tokens, max_batch_texts, min_fill, discarded):
    queue = backlog(*waiting, max_batch_tokens=max_batch_tokens, max_batch_texts=max_batch_texts, min_fill=min_fill)
    dropped = [e for i, e in enumerate(waiting) if i in discarded and queue.discard(e)]
    seen, now = list(dropped), 100.0
    while len(queue):
        dequeued = queue.take(now)
        assert dequeued.batch or dequeued.expired
        assert all(e.deadline <= now for e in dequeued.expired)
        assert all(e.deadline > now for e in dequeued.batch)
        if len(dequeued.batch) > 1:
            sizes = [e.tokens for e in dequeued.batch]
            assert len(sizes) <= max_batch_texts
            assert len(sizes) * max(sizes) <= max_batch_tokens
            assert min(sizes) >= min_fill * max(sizes)
        seen += dequeued.batch + dequeued.expired
    assert queue.tokens == 0
    assert sorted(map(id, waiting)) == sorted(map(id, seen))


@given(waiting=st.lists(entries, min_size=1, max_size=40))
def test_take_leads_with_the_oldest_of_the_priority_and_the_caller(waiting):
    queue = backlog(*sorted(waiting, key=lambda e: e.arrived))  # as they come
    lead = queue.take(-1.0).batch[0]
    assert lead.arrived == min(e.arrived for e in waiting if e.priority is lead.priority and e.caller == lead.caller)


def test_bulk_work_is_ahead_of_interactive_work_by_its_share():
    waiting = backlog(*(entry(100, priority=Priority.BULK, caller="bulk") for _ in range(9)), entry(70, caller="a"))
    assert waiting.ahead(Priority.INTERACTIVE, "a", 70) == 70 + 140 // 7
    assert waiting.ahead(Priority.BULK, "bulk", 100) == 900 + 70
    assert waiting.ahead(Priority.BULK, "other", 5) == 5 + 70


def test_take_never_runs_what_has_less_time_left_than_it_takes():
    near, far = entry(20, 1.0, deadline=5.0), entry(20, 2.0, deadline=9.0)
    dequeued = backlog(near, far).take(3.0, token_s=0.1)
    assert ([far], [near]) == (dequeued.batch, dequeued.expired)
    company = backlog(far, near).take(3.0, token_s=0.1)
    assert ([far], [near]) == (company.batch, company.expired)


def test_take_runs_what_is_alone_although_it_should_take_too_long():
    near = entry(20, 1.0, deadline=5.0)
    assert [near] == backlog(near).take(3.0, token_s=0.1).batch


def test_take_says_whether_it_leaves_work():
    waiting = backlog(entry(20), entry(300), max_batch_texts=1)
    assert waiting.take(1.0).leaves_work
    assert not waiting.take(1.0).leaves_work
