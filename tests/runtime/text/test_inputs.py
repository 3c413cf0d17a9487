import tracemalloc

import numpy as np
import pytest

from polyseme.runtime.text.inputs import Fit, TokenizedInput, TooLongError, TooManyWindowsError, windows


def tokens(first, second=None):
    """[CLS] first [SEP], and of a pair second [SEP]."""
    texts = [-1, *[0] * first, -1, *([] if second is None else [*[1] * second, -1])]
    return TokenizedInput(
        ids=np.arange(len(texts), dtype=np.int32),
        types=np.arange(len(texts)) >= first + 2,
        texts=texts,
        tokens=["x"] * len(texts),
        offsets=[(0, 1)] * len(texts),
        word_ids=[0] * len(texts),
    )


def cut(first, second, limit, fit=Fit.LONGEST_FIRST, overlap=0):
    """How many tokens of each text stay, in each window."""
    one = tokens(first, second)
    parts = [part.tolist() for part in windows(one, limit, fit, overlap, is_pair=second is not None, most=99)]
    assert all(len(part) <= limit and sorted(set(part)) == part for part in parts)
    return [tuple(sum(one.texts[place] == which for place in part) for which in (0, 1)) for part in parts]


def test_what_fits_is_left_as_it_is():
    for fit in Fit:
        (part,) = windows(tokens(3), 5, fit, 0, is_pair=False, most=1)
        assert part.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("first", "second", "limit", "want"),
    [  # as tokenizers' longest_first, which was asked for each
        (10, 10, 13, (5, 5)), (10, 10, 14, (5, 6)), (2, 20, 13, (2, 8)), (20, 2, 13, (8, 2)), (20, 20, 4, (0, 1)),
        (10, None, 7, (5, 0)), (9, 3, 9, (3, 3)), (0, 20, 13, (0, 10)), (20, 0, 13, (10, 0)),
    ],
)  # fmt: skip
def test_longest_first(first, second, limit, want):
    assert cut(first, second, limit) == [want]


def test_only_second():
    assert cut(3, 20, 13, Fit.ONLY_SECOND) == [(3, 7)]
    assert cut(20, None, 13, Fit.ONLY_SECOND) == [(11, 0)]


def test_windows_cover_all_and_overlap():
    one = tokens(2, 10)
    parts = [part.tolist() for part in windows(one, 9, Fit.WINDOWS, 2, is_pair=True, most=4)]
    own = [[place for place in part if one.texts[place] == 1] for part in parts]
    assert [len(part) for part in parts] == [9, 9, 9, 9]
    assert [part[:4] for part in parts] == [[0, 1, 2, 3]] * 4
    assert own == [[4, 5, 6, 7], [6, 7, 8, 9], [8, 9, 10, 11], [10, 11, 12, 13]]


def test_the_last_window_has_what_is_left():
    assert cut(10, None, 6, Fit.WINDOWS) == [(4, 0), (4, 0), (2, 0)]


@pytest.mark.parametrize(
    ("first", "second", "limit", "fit", "overlap", "message"),
    [
        (10, None, 6, Fit.REFUSE, 0, "has 12 tokens; limit 6"),
        (10, 5, 8, Fit.ONLY_SECOND, 0, "has 13 tokens of the first text; limit 8"),
        (10, 5, 8, Fit.WINDOWS, 0, "has 13 tokens of the first text; limit 8"),
        (10, None, 2, Fit.WINDOWS, 0, "has 2 tokens of special tokens; limit 2"),
        (10, None, 6, Fit.WINDOWS, 4, "has windows of 4 tokens beside the rest; overlap 4 must be less"),
    ],
)
def test_what_cannot_be_fitted_is_refused(first, second, limit, fit, overlap, message):
    with pytest.raises(TooLongError, match=message):
        windows(tokens(first, second), limit, fit, overlap, is_pair=second is not None, most=99)


@pytest.mark.parametrize("first", range(5, 30))
@pytest.mark.parametrize("overlap", range(4))
def test_windows_are_counted_before_they_are_made(first, overlap):
    parts = windows(tokens(first), 6, Fit.WINDOWS, overlap, is_pair=False, most=99)
    again = windows(tokens(first), 6, Fit.WINDOWS, overlap, is_pair=False, most=len(parts))
    assert [part.tolist() for part in again] == [part.tolist() for part in parts]
    with pytest.raises(TooManyWindowsError):
        windows(tokens(first), 6, Fit.WINDOWS, overlap, is_pair=False, most=len(parts) - 1)


def test_a_million_windows_are_never_made():
    tracemalloc.start()
    try:
        with pytest.raises(TooManyWindowsError):
            windows(LARGE, 8192, Fit.WINDOWS, 8189, is_pair=False, most=4096)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_place_of_a_window_is_four_bytes():
    tracemalloc.start()
    try:
        parts = windows(LARGE, 8192, Fit.WINDOWS, 8000, is_pair=False, most=4096)
        assert tracemalloc.get_traced_memory()[0] < 1.2 * 4 * sum(map(len, parts)) > 10_000_000
    finally:
        tracemalloc.stop()


LARGE = tokens(60_000)
