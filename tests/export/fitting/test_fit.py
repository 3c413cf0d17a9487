"""A head from real texts: MiniLM's vectors of 80 sentences, which good and bad ones are told apart by."""

import csv
from pathlib import Path

import numpy as np
import pytest

from polyseme.artifact import Artifact
from polyseme.export.fitting.classifier import chances
from polyseme.export.fitting.fit import fit
from polyseme.export.fitting.pictures import draw_confusion, draw_curve
from polyseme.export.fitting.report import report
from polyseme.export.fitting.texts import labelled
from polyseme.export.fitting.vectors import POOLINGS, vectors_of

DATA = Path(__file__).parents[3] / "examples/data/opinions.tsv"


@pytest.fixture(scope="module")
def opinions():
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    sentences = [row["sentence"] for row in rows]
    return labelled(sentences, [row["opinion"] for row in rows], sentences)


@pytest.fixture(scope="module")
def vectors(minilm_artifact, opinions):
    return vectors_of(Artifact.open(minilm_artifact), opinions.texts)


@pytest.fixture(scope="module")
def fitted(opinions, vectors):
    return fit(opinions, vectors)


def test_every_row_is_held_out_or_trained_on(fitted, opinions):
    assert fitted.confusion.sum() + fitted.curve[-1].rows == len(opinions) == 80
    assert len(fitted.choice.logits) == fitted.curve[-1].rows
    assert fitted.confusion.trace() / fitted.confusion.sum() == pytest.approx(fitted.curve[-1].score)


def test_good_and_bad_are_told_apart_better_than_by_chance(fitted):
    assert len(fitted.choice.tried) == 14
    assert fitted.choice.best.accuracy == max(one.accuracy for one in fitted.choice.tried) > 0.65


def test_labels_that_mean_nothing_are_not_learned(opinions, vectors):
    draw = np.random.default_rng(2)
    shuffled = labelled(
        opinions.texts, [opinions.classes[i] for i in draw.permutation(opinions.labels)], opinions.texts
    )
    assert fit(shuffled, vectors).curve[-1].score < 0.75


def test_a_row_that_stands_twice_is_not_asked_of_a_head_that_saw_it(opinions, vectors):
    """Labels that mean nothing, each row three times: a head that had seen them would know them by heart."""
    draw = np.random.default_rng(2)
    texts = opinions.texts * 3
    names = [opinions.classes[i] for i in draw.permutation(opinions.labels)] * 3
    found = fit(labelled(texts, names, texts), np.concatenate([vectors] * 3, axis=2))
    assert found.curve[-1].score < 0.75
    assert found.choice.best.accuracy < 0.75


def test_the_head_knows_what_it_was_trained_on(fitted, opinions, vectors):
    best = fitted.choice.best
    logits = fitted.classifier.logits(vectors[best.layer, POOLINGS.index(best.pooling)])
    assert (logits.argmax(axis=1) == opinions.labels).mean() > 0.8
    np.testing.assert_allclose(chances(logits).sum(axis=1), 1)


def test_classes_may_weigh_the_same(opinions, vectors):
    rare = opinions.labels == 1
    some = np.concatenate([np.flatnonzero(~rare), np.flatnonzero(rare)[:12]])
    few = labelled([opinions.texts[i] for i in some], [opinions.classes[opinions.labels[i]] for i in some], some)
    found = [fit(few, vectors[:, :, some], class_weight=weight) for weight in ("none", "balanced")]
    of_rare = [(one.choice.logits.argmax(axis=1) == 1).sum() for one in found]
    assert of_rare[1] > of_rare[0]


def test_the_report_has_every_figure_and_no_text(fitted, opinions):
    written = report(fitted, "all-MiniLM-L6-v2@abc")
    assert f"Accuracy {fitted.curve[-1].score:.3f} ±" in written
    assert all(f"| {one.layer} | {one.pooling.value} | {one.accuracy:.3f}" in written for one in fitted.choice.tried)
    assert all(f"| {point.rows} | {point.score:.3f}" in written for point in fitted.curve)
    assert f"| bad | {fitted.confusion[0, 0]} | {fitted.confusion[0, 1]} |" in written
    assert not any(text in written for text in opinions.texts)


def test_pictures_are_svg_and_the_same_each_time(fitted, tmp_path):
    for name in ("a", "b"):
        draw_curve(fitted.curve, tmp_path / f"curve-{name}.svg")
        draw_confusion(fitted, tmp_path / f"confusion-{name}.svg")
    for kind, word in (("curve", ">rows to train on<"), ("confusion", ">good<")):
        picture = (tmp_path / f"{kind}-a.svg").read_text(encoding="utf-8")
        assert word in picture
        assert picture == (tmp_path / f"{kind}-b.svg").read_text(encoding="utf-8")
