import re

import numpy as np
import pytest

from polyseme.export.fitting.curve import Point, learning_curve, verdict


def blobs(rows, seed):
    draw = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    centres = np.random.default_rng(0).normal(size=(3, 16))
    return (draw.normal(size=(rows, 16)) * 2 + centres[labels]).astype(np.float32), labels


def test_more_rows_give_more_accuracy_on_what_can_be_learned():
    points = learning_curve(*blobs(480, 1), blobs(300, 2), penalty=0.1, class_weight="none")
    assert [point.rows for point in points] == [30, 60, 120, 240, 480]
    assert [point.effects.shape for point in points] == [(300,)] * 5
    assert points[-1].score > points[0].score + 0.05
    assert points[-1].error == pytest.approx(points[-1].effects.std(ddof=1) / np.sqrt(300))


def test_parts_of_few_rows_are_not_measured_twice():
    points = learning_curve(*blobs(24, 1), blobs(30, 2), penalty=0.1, class_weight="none")
    assert [point.rows for point in points] == [6, 12, 24]


def point(rows, accuracy, count=1000):
    hits = np.zeros((1, count), dtype=bool)
    hits[:, : round(accuracy * count)] = True
    return Point.of_hits(rows, hits)


@pytest.mark.parametrize(
    ("before", "now", "count", "said"),
    [
        (0.70, 0.80, 1000, r"From 50 to 100 rows accuracy changed by \+0\.100 ± 0\.\d+: more rows .* would pay"),
        (0.80, 0.802, 1000, r"would hardly pay"),
        (0.80, 0.80, 1000, r"\+0\.000 ± 0\.000: more rows of this kind would hardly pay"),
        (0.75, 0.80, 20, r"20 held-out rows cannot tell whether more would pay"),
    ],
)
def test_the_verdict_is_by_the_last_doubling_and_its_error(before, now, count, said):
    points = (point(25, 0.1, count), point(50, before, count), point(100, now, count))
    assert re.search(said, verdict(points))
