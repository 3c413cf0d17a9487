import pytest
from tests.untested import EXCUSED, ROOT, branches, its_tests, untested


def test_every_module_that_decides_something_has_a_test_file_or_an_excuse():
    assert untested() == sorted(EXCUSED), "left: what has no tests or no excuse; right: excuses"


def test_what_is_named_in_an_excuse_is_there():
    assert [test for test in EXCUSED.values() if not (ROOT / "tests" / test).is_file()] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("A = 1", False),
        ("A = [x for x in B]", False),
        ("A = [x for x in B if x]", True),
        ("A = 1 if B else 2", True),
        ("if TYPE_CHECKING:\n    import a", False),
        ("def f(x):\n    while x:\n        x -= 1", True),
        ("try:\n    a()\nexcept ValueError:\n    pass", True),
    ],
)
def test_branches_are_what_code_decides(tmp_path, source, expected):
    (tmp_path / "a.py").write_text(source)
    assert branches(tmp_path / "a.py") is expected


def test_tests_lie_in_the_same_folders_under_the_same_name(tmp_path):
    assert its_tests("client", tmp_path, tmp_path / "_a/_b.py") == ROOT / "tests/client/_a/test_b.py"
