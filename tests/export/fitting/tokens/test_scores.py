import numpy as np
import pytest

from polyseme.export.fitting.tokens.scores import counts_of, effects_of, f1_of, score_of

PER, LOC = (0, 3, "PER"), (5, 9, "LOC")


def counts(found, gold):
    return counts_of([frozenset(each) for each in found], [frozenset(each) for each in gold], ("LOC", "PER"))


def test_an_entity_is_right_where_start_end_and_label_are():
    found = counts([[PER, (5, 8, "LOC")], [(5, 9, "PER")], []], [[PER, LOC], [LOC], [PER]])
    assert found[:, 0].tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]], "LOC: right, found, spans"
    assert found[:, 1].tolist() == [[1, 1, 1], [0, 1, 0], [0, 0, 1]]
    whole = score_of(found.sum(axis=1))
    assert (whole.precision, whole.recall, whole.f1, whole.spans) == (1 / 3, 1 / 4, pytest.approx(2 / 7), 4)


@pytest.mark.parametrize(("found", "gold"), [([[]], [[]]), ([[PER]], [[]]), ([[]], [[PER]])])
def test_nothing_found_or_nothing_to_find_is_no_error(found, gold):
    one = score_of(counts(found * 2, gold * 2).sum(axis=1))
    assert (one.precision, one.recall, one.f1, one.error) == (0, 0, 0, 0)


def test_the_error_is_that_of_drawing_other_texts():
    """Against the spread of F1 over 2,000 draws of the texts with replacement."""
    draw = np.random.default_rng(3)
    gold = draw.integers(0, 5, size=400)
    found = draw.integers(0, 5, size=400)
    each = np.stack([draw.binomial(np.minimum(gold, found), 0.7), found, gold], axis=1)
    spread = np.std([f1_of(each[draw.integers(0, 400, size=400)]) for _ in range(2000)])
    assert score_of(each).error == pytest.approx(spread, rel=0.1)
    assert effects_of(each).mean() == pytest.approx(0, abs=1e-12)
