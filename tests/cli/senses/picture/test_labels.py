import numpy as np
import pytest

from polyseme.cli.senses.picture.labels import place

FRAME = (6.0, 4.4)


def layouts():
    generator = np.random.default_rng(4)
    word, number = (2.2, 0.17), (0.16, 0.15)
    middle = np.array(FRAME) / 2
    yield "two", np.array([[1.5, 2.2], [4.5, 2.2]]), word
    yield "twelve", middle + generator.normal(scale=0.6, size=(12, 2)), word
    yield "twelve in one place", np.tile(middle, (12, 1)), word
    yield "corners", np.array([[0.3, 0.4], [5.7, 0.4], [0.3, 4.0], [5.7, 4.0]]), word
    yield "sixty", middle + generator.normal(scale=0.8, size=(60, 2)).clip(-1.9, 1.9), number
    yield "sixty in one place", np.tile(middle, (60, 1)), number


@pytest.mark.parametrize(("points", "size"), [layout[1:] for layout in layouts()], ids=[name for name, *_ in layouts()])
def test_labels_are_inside_and_not_on_each_other_or_on_points(points, size):
    sizes = np.tile(size, (len(points), 1))
    centres = place(points, sizes, FRAME)
    assert (centres - sizes / 2 >= 0).all()
    assert (centres + sizes / 2 <= FRAME).all()
    apart = np.abs(centres[:, None] - centres[None])
    overlap = (apart < sizes).all(axis=2) & ~np.eye(len(points), dtype=bool)
    assert not overlap.any()
    assert not (np.abs(centres[:, None] - points[None]) < sizes[:, None] / 2).all(axis=2).any()


def test_a_lonely_label_is_right_beside_its_point():
    (centre,) = place(np.array([[3.0, 2.0]]), np.array([[1.0, 0.2]]), FRAME)
    assert centre[1] == pytest.approx(2)
    assert abs(centre[0] - 3) == pytest.approx(0.62, abs=0.03)


def test_no_line_goes_through_a_label_where_there_is_room():
    points = np.array([[3.0, 2.0], [3.1, 2.1], [3.2, 2.0]])
    sizes = np.tile([1.2, 0.2], (3, 1))
    centres = place(points, sizes, FRAME)
    ends = np.clip(points, centres - sizes / 2, centres + sizes / 2)
    for at in range(3):
        line = points[at] + np.linspace(0, 1, 50)[:, None] * (ends[at] - points[at])
        for other in {0, 1, 2} - {at}:
            assert not (np.abs(line - centres[other]) < sizes[other] / 2).all(axis=1).any()
