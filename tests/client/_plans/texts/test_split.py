from hypothesis import given
from hypothesis import strategies as st

from polyseme.client._plans.texts.split import ENTRY_BYTES, SMALL_BYTES, SMALL_TEXTS, CallLimits, is_small, split

SIZES = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=60)
LIMITS = st.builds(
    CallLimits,
    max_texts=st.integers(1, 10),
    max_request_bytes=st.integers(0, 150),
    max_reply_bytes=st.integers(0, 150),
)


def _fits(call: range, sizes: list[tuple[int, int]], limits: CallLimits) -> bool:
    asked = sum(sizes[index][0] + ENTRY_BYTES for index in call)
    answered = sum(sizes[index][1] for index in call)
    return len(call) <= limits.max_texts and asked <= limits.max_request_bytes and answered <= limits.max_reply_bytes


def _split(sizes: list[tuple[int, int]], limits: CallLimits) -> list[range]:
    return split([asked for asked, _ in sizes], [answered for _, answered in sizes], limits)


@given(SIZES, LIMITS)
def test_split_covers_every_text_once_in_order(sizes, limits):
    assert [index for call in _split(sizes, limits) for index in call] == list(range(len(sizes)))


@given(SIZES, LIMITS)
def test_split_keeps_to_the_limits_unless_one_text_cannot(sizes, limits):
    assert all(len(call) == 1 or _fits(call, sizes, limits) for call in _split(sizes, limits))


@given(SIZES, LIMITS)
def test_split_makes_no_call_smaller_than_needed(sizes, limits):
    calls = _split(sizes, limits)
    grown = [range(call.start, call.stop + 1) for call in calls[:-1]]
    assert not any(_fits(call, sizes, limits) for call in grown)


def test_is_small_at_its_limits():
    assert is_small([1] * SMALL_TEXTS)
    assert not is_small([1] * (SMALL_TEXTS + 1))
    assert is_small([SMALL_BYTES - 1])
    assert not is_small([SMALL_BYTES])
