from polyseme.runtime.tasks import PooledVector
from polyseme.server.scheduling import Entry
from polyseme.server.scheduling.callers import MOST_CALLERS, Callers


def entry(caller, tokens=10):
    return Entry(ids=[1] * tokens, task=PooledVector(), caller=caller)


def callers(*entries):
    table = Callers()
    for one in entries:
        table.add(one)
    return table


def serve(table):
    """Take the next text, as a batch of its own; gives whose it was."""
    one = table.next()
    table.remove(one)
    one.place.served += one.tokens
    return one.caller


def test_tokens_are_shared_and_not_texts():
    table = callers(*[entry("long", 30) for _ in range(3)], *[entry("short", 10) for _ in range(9)])
    assert [serve(table) for _ in range(8)].count("long") == 2


def test_a_caller_that_comes_back_is_owed_nothing():
    table = callers(*[entry("busy") for _ in range(20)])
    for _ in range(10):
        serve(table)
    for _ in range(5):
        table.add(entry("new"))
    assert [serve(table) for _ in range(10)].count("busy") == 5


def test_a_debt_stays_while_its_caller_is_idle():
    table = callers(entry("a", 100), entry("b", 10), entry("b", 10))
    assert serve(table) == "a"
    table.add(entry("a"))
    assert [serve(table), serve(table), serve(table)] == ["b", "b", "a"]


def test_a_newcomer_is_served_before_who_was_served_much():
    table = callers(*[entry("flood") for _ in range(50)])
    for _ in range(20):
        serve(table)
    table.add(entry("new"))
    assert "new" in [serve(table), serve(table)]


def test_callers_beyond_the_bound_share_as_one():
    table = callers(*[entry(str(n)) for n in range(MOST_CALLERS)])
    for n in range(5):
        table.add(entry(f"late {n}"))
    assert len(table.waiting) == MOST_CALLERS + 1
    assert table.most_tokens() == 50
    served = [serve(table) for _ in range(MOST_CALLERS + 5)]
    assert sorted(served[-4:]) == [f"late {n}" for n in range(1, 5)]  # one of them in the first round
    assert table.next() is None


def test_the_table_of_those_that_left_is_bounded():
    table = Callers()
    for n in range(3 * MOST_CALLERS):
        table.add(entry(str(n)))
        serve(table)
    assert len(table._idle) <= MOST_CALLERS


def test_what_is_ahead_of_more_work_is_its_callers_own_and_others_up_to_as_much():
    table = callers(*[entry("flood", 10) for _ in range(50)], entry("light", 10))
    assert table.tokens == 510
    assert table.ahead("light", 20) == 10 + 30
    assert table.ahead("new", 20) == 20 + 10
    assert table.ahead("flood", 20) == 500 + 10


def test_what_was_served_before_counts_for_what_is_ahead():
    table = callers(*[entry("flood", 10) for _ in range(50)])
    for _ in range(20):
        serve(table)
    table.add(entry("new", 10))
    assert table.ahead("new", 10) == 10 + 10
    table.waiting["new"].served += 100
    assert table.ahead("new", 10) == 10 + 110


def test_nothing_is_ahead_where_nothing_waits():
    table = callers(entry("a"))
    serve(table)
    assert (table.tokens, table.ahead("a", 10), table.ahead("b", 10)) == (0, 0, 0)
