from argparse import ArgumentTypeError

import pytest

from polyseme.cli.arguments.numbers import finite_not_negative, finite_positive, positive, seconds


@pytest.mark.parametrize(
    ("read", "text", "number"),
    [
        (positive, "1", 1),
        (seconds, "0.5", 0.5),
        (seconds, "inf", float("inf")),
        (finite_positive, "0.5", 0.5),
        (finite_not_negative, "0", 0),
    ],
)
def test_what_makes_sense_is_read(read, text, number):
    assert read(text) == number


@pytest.mark.parametrize(
    ("read", "text", "limit"),
    [
        (positive, "0", "at least 1"),
        (seconds, "0", "more than 0"),
        (seconds, "nan", "more than 0"),
        (finite_positive, "0", "more than 0"),
        (finite_positive, "-1", "at least 0"),
        (finite_positive, "inf", "at least 0"),
        (finite_not_negative, "-1", "at least 0"),
        (finite_not_negative, "inf", "at least 0"),
        (finite_not_negative, "nan", "at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(read, text, limit):
    with pytest.raises(ArgumentTypeError, match=f"^got {text}; {limit}$"):
        read(text)
