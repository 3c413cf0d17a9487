import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyseme.client._plans.passages.windows import windows

TENS = [range(start, start + 10) for start in range(0, 100, 10)]


def chosen(passages, count, **changes):
    options = {"size": 40, "overlap": 10, "most_passages": 100} | changes
    return [(each.tokens, each.passages) for each in windows(passages, count, **options)]


def test_one_window_where_everything_fits():
    assert chosen(TENS, 100, size=100) == [(range(100), tuple(range(10)))]


def test_windows_overlap_and_the_last_reaches_back():
    assert chosen(TENS, 100) == [
        (range(40), (0, 1, 2, 3)),
        (range(30, 70), (4, 5, 6)),
        (range(60, 100), (7, 8, 9)),
    ]


def test_without_overlap_a_window_begins_with_its_first_passage():
    assert [tokens for tokens, _ in chosen(TENS, 100, overlap=0)] == [range(40), range(40, 80), range(60, 100)]


def test_a_passage_that_leaves_no_room_for_overlap_is_taken_whole():
    assert chosen([range(5), range(50, 90)], 100) == [(range(40), (0,)), (range(50, 90), (1,))]


def test_most_passages_end_a_window():
    assert [passages for _, passages in chosen(TENS, 100, size=100, most_passages=4)] == [
        (0, 1, 2, 3),
        (4, 5, 6, 7),
        (8, 9),
    ]


def test_no_passage_needs_no_window():
    assert chosen([], 100) == []


@pytest.mark.parametrize("most_passages", [1, 3, 1000])
@given(data=st.data())
def test_each_passage_lies_whole_in_one_window_behind_what_overlaps(most_passages, data):
    count = data.draw(st.integers(1, 300))
    size = data.draw(st.integers(1, 60))
    overlap = data.draw(st.integers(0, 80))
    starts = data.draw(st.lists(st.integers(0, count - 1), max_size=30))
    passages = [range(s, data.draw(st.integers(s + 1, min(s + size, count)))) for s in starts]
    found = windows(passages, count, size=size, overlap=overlap, most_passages=most_passages)
    assert sorted(index for each in found for index in each.passages) == list(range(len(passages)))
    for each in found:
        assert 0 <= each.tokens.start < each.tokens.stop <= count
        assert len(each.tokens) == min(size, count)
        assert 1 <= len(each.passages) <= most_passages
        first = passages[each.passages[0]]
        assert first.start - each.tokens.start >= min(overlap, first.start, size - len(first))
        for index in each.passages:
            assert each.tokens.start <= passages[index].start < passages[index].stop <= each.tokens.stop
