"""Odd checkpoints against what transformers and sentence-transformers made of them: equal, or refused in one line."""

import pytest
from tests.reference.asking import goldens
from tests.reference.asking.outcomes import outcome
from tests.reference.cases import CASES
from tests.reference.known import KNOWN

GOLDENS = goldens.read()


@pytest.mark.parametrize("name", CASES)
def test_it_is_equal_to_the_foreign_programs_or_refused(name, tmp_path):
    found = outcome(CASES[name], GOLDENS, tmp_path)
    if name in KNOWN:
        assert found.kind == "wrong", "it is right now: remove it from tests/reference/known.py"
        pytest.xfail(KNOWN[name])
    assert found.kind != "wrong", found.detail


def test_every_case_has_a_golden_and_every_golden_a_case():
    assert sorted(CASES) == sorted(GOLDENS)
    assert set(KNOWN) <= set(CASES)


def test_goldens_take_little_room():
    assert sum(path.stat().st_size for path in goldens.FOLDER.iterdir()) < 2 << 20
