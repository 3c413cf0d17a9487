import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from polyseme.export.fitting.classifier import (
    best_temperature,
    calibration_error,
    chances,
    log_loss,
    trained,
)


def blobs(classes, rows=60, seed=3):
    draw = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    return draw.normal(size=(rows, 8)) * 5 + draw.normal(size=(classes, 8))[labels] * 6 + 40, labels


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_labels_and_chances_are_those_of_scikit_learn_on_scaled_vectors(classes, class_weight):
    vectors, labels = blobs(classes)
    labels[:20] = 0  # not as many of each
    scaled = (vectors - vectors.mean(axis=0)) / np.sqrt(((vectors - vectors.mean(axis=0)) ** 2).mean())
    weight = None if class_weight == "none" else class_weight
    theirs = LogisticRegression(C=0.1, max_iter=1000, class_weight=weight).fit(scaled, labels)
    ours = trained(vectors, labels, classes, penalty=0.1, class_weight=class_weight).logits(vectors)
    np.testing.assert_allclose(chances(ours), theirs.predict_proba(scaled), atol=1e-9)
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.predict(scaled))


def test_a_class_of_which_no_text_was_seen_is_never_found():
    vectors, labels = blobs(3)
    seen = labels != 1
    head = trained(vectors[seen], labels[seen], 3, penalty=0.1, class_weight="none")
    assert set(head.logits(vectors).argmax(axis=1)) == {0, 2}


def test_a_temperature_keeps_classes_and_flattens_chances():
    vectors, labels = blobs(3)
    head = trained(vectors, labels, 3, penalty=0.1, class_weight="none")
    np.testing.assert_allclose(head.at(2).logits(vectors), head.logits(vectors) / 2)
    assert chances(head.at(2).logits(vectors)).max() < chances(head.logits(vectors)).max()


def test_the_best_temperature_undoes_one_that_is_wrong():
    draw = np.random.default_rng(5)
    logits = draw.normal(size=(4000, 3)) * 2
    labels = np.array([draw.choice(3, p=row) for row in chances(logits)])
    assert best_temperature(logits, labels) == pytest.approx(1, abs=0.1)
    assert best_temperature(logits * 3, labels) == pytest.approx(3, abs=0.3)
    assert calibration_error(logits, labels) < 0.03 < calibration_error(logits * 3, labels)


def test_log_loss_is_of_the_right_class():
    logits = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert log_loss(logits, np.array([0, 1])) == pytest.approx(-(np.log(0.25) + np.log(0.5)) / 2)
