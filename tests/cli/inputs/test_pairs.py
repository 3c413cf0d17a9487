from polyseme.cli.inputs.pairs import with_second
from polyseme.cli.inputs.records import Record


def test_the_last_kept_value_is_the_second_text():
    (found,) = with_second(iter([Record("a", 1, None, (7, "b"))]), "claim")
    assert found == Record("a", 1, None, (7,), "b")


def test_a_second_text_that_is_none_is_named():
    found = list(with_second(iter([Record("a", 1, None, (7,)), Record("", 2, "is not JSON")]), "claim"))
    assert [one.problem for one in found] == ["field or column claim is not a string", "is not JSON"]
