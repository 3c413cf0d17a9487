import numpy as np
import pytest

from polyseme.artifact import Pooling
from polyseme.export.fitting.choice import accuracy_of, choose, cross_validated, folds_of, groups_of

LABELS = np.arange(90) % 3


def vectors(informed):
    """[3, 2, 90, 8] of noise, in which some of (layer, pooling) tell the class."""
    draw = np.random.default_rng(1)
    found = draw.normal(size=(3, 2, 90, 8)).astype(np.float32)
    centres = draw.normal(size=(3, 8)) * 3
    for place, strength in informed.items():
        found[place] += strength * centres[LABELS]
    return found


def test_the_layer_and_pooling_that_tell_classes_are_chosen():
    choice = choose(vectors({(1, 0): 1, (2, 1): 0.1}), LABELS, class_weight="none")
    assert (choice.best.layer, choice.best.pooling) == (1, Pooling.CLS)
    assert choice.best.accuracy > 0.9
    assert [(one.layer, one.pooling) for one in choice.tried] == [
        (layer, pooling) for layer in range(3) for pooling in (Pooling.CLS, Pooling.MEAN)
    ]
    assert choice.logits.shape == (90, 3)


def test_noise_is_no_better_than_chance_across_folds():
    """A head that was judged on texts that it was trained on would be right far more often."""
    found = vectors({})[0, 0]
    logits = cross_validated(found, LABELS, folds_of(LABELS), 1.0, "none")
    assert accuracy_of(logits, LABELS)[0] < 0.5


def test_folds_spread_each_class_evenly():
    folds = folds_of(LABELS)
    counts = [np.bincount(folds[number == LABELS], minlength=5) for number in range(3)]
    assert np.array(counts).tolist() == [[6] * 5] * 3
    np.testing.assert_array_equal(folds, folds_of(LABELS))


def test_equal_texts_are_in_one_fold_and_others_stay_where_they_were():
    texts = [f"text {number}" for number in range(90)]
    np.testing.assert_array_equal(folds_of(LABELS, groups=groups_of(texts)), folds_of(LABELS))
    again = texts[:60] + texts[:30]
    folds = folds_of(LABELS, groups=groups_of(again))
    np.testing.assert_array_equal(folds[60:], folds[:30])
    np.testing.assert_array_equal(folds[:60], folds_of(LABELS[:60]))


def test_accuracy_has_its_standard_error():
    logits = np.eye(2)[[0, 0, 0, 1]]
    assert accuracy_of(logits, np.array([0, 0, 1, 1])) == (0.75, pytest.approx(np.sqrt(0.75 * 0.25 / 4)))
