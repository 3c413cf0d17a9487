import numpy as np
import pytest

from polyseme.client import InvalidArgumentError
from polyseme.client._arguments.integers import as_int, unsigned


@pytest.mark.parametrize(("value", "expected"), [(3, 3), (np.int64(-3), -3), (True, None), (1.0, None), ("1", None)])
def test_as_int_takes_integers_alone(value, expected):
    assert as_int(value) == expected


@pytest.mark.parametrize("value", [0, (1 << 32) - 1])
def test_unsigned_takes_what_a_uint32_holds(value):
    assert unsigned(value, "k") == value


@pytest.mark.parametrize(
    ("value", "least", "message"),
    [
        ("1", 0, "k must be an int, got str; 0 to 4294967295 are valid"),
        (0, 1, "k is 0; 1 to 4294967295 are valid"),
        (1 << 32, 0, "k is 4294967296; 0 to 4294967295 are valid"),
        (-(1 << 64), 0, "k is an int of more than 64 bits; 0 to 4294967295 are valid"),
    ],
)
def test_unsigned_says_what_got_limit(value, least, message):
    with pytest.raises(InvalidArgumentError) as error:
        unsigned(value, "k", least)
    assert str(error.value) == message
    assert error.value.field == "k"


def test_unsigned_names_the_field_below_another():
    with pytest.raises(InvalidArgumentError) as error:
        unsigned(-1, "words[0]: occurrence")
    assert error.value.field == "words[0].occurrence"
