import pytest

from polyseme.server.errors import InvalidInputError, spelled


@pytest.mark.parametrize(
    ("path", "expected"),
    [((), ""), (("texts", 3), "texts[3]"), (("inputs", 2, "words", 0), "inputs[2].words[0]"), (("a", "b"), "a.b")],
)
def test_spelled_is_as_callers_write_it(path, expected):
    assert spelled(path) == expected


def test_an_invalid_input_begins_with_its_field():
    error = InvalidInputError(": got 0; limits 1..384", ("dimensions",))
    assert str(error) == "dimensions: got 0; limits 1..384"
    assert (error.path, error.problem) == (("dimensions",), ": got 0; limits 1..384")
