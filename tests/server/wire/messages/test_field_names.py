import pytest

from polyseme.server.errors import InvalidInputError, QueueFullError
from polyseme.server.wire.messages.field_names import fields_named

NAMES = {("texts", 0): ("inputs",), ("pairs", 0, "second"): ("inputs", 1)}


@pytest.mark.parametrize(
    ("own", "named"),
    [
        (("texts", 0), ("inputs",)),
        (("texts", 0, "words", 2), ("inputs", "words", 2)),
        (("pairs", 0, "second"), ("inputs", 1)),
        (("texts",), ("texts",)),
        (("dimensions",), ("dimensions",)),
        ((), ()),
    ],
)
def test_fields_get_the_names_of_the_contract(own, named):
    with pytest.raises(InvalidInputError) as error, fields_named(NAMES):
        raise InvalidInputError(" is wrong", own)
    assert (error.value.path, error.value.problem) == (named, " is wrong")


def test_other_errors_pass():
    with pytest.raises(QueueFullError), fields_named(NAMES):
        raise QueueFullError("full", retry_after_s=1)
