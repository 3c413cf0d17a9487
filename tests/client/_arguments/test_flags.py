import numpy as np
import pytest

from polyseme.client import InvalidArgumentError
from polyseme.client._arguments.flags import flag, flag_or_none, name_or_empty


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_, 1, 0])
def test_flags_take_bools_and_what_equals_one(value):
    assert flag(value, "normalize") is flag_or_none(value, "normalize") is bool(value)


def test_none_is_no_or_left_to_the_model():
    assert flag(None, "normalize") is False
    assert flag_or_none(None, "normalize") is None


@pytest.mark.parametrize(
    ("value", "got"), [("yes", "str"), ([], "list"), (2, "2"), (1.5, "1.5"), (np.array([True]), "ndarray")]
)
def test_flags_refuse_all_else(value, got):
    for check in (flag, flag_or_none):
        with pytest.raises(InvalidArgumentError, match=rf"^normalize must be True or False, got {got}$") as caught:
            check(value, "normalize")
        assert caught.value.field == "normalize"


def test_names():
    assert (name_or_empty(None, "model"), name_or_empty("", "model"), name_or_empty("a", "model")) == ("", "", "a")


@pytest.mark.parametrize("value", [3, b"a", ["a"], "\ud800"])
def test_names_refuse_what_no_message_can_hold(value):
    with pytest.raises(InvalidArgumentError, match=r"^prompt_name (must be str, got|has a lone surrogate)") as caught:
        name_or_empty(value, "prompt_name")
    assert caught.value.field == "prompt_name"
