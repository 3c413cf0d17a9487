import math

import numpy as np
import pytest

from polyseme.cli.senses.picture.geometry import fit, plane, scale_bar


def distances(points):
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_the_plane_keeps_distances_where_it_can():
    """Unit vectors on a small circle of a sphere lie in a plane."""
    angles = np.array([0.1, 0.9, 2.0, 3.3, 5.5])
    vectors = np.stack([0.6 * np.cos(angles), 0.6 * np.sin(angles), np.full(5, 0.8)], axis=1)
    found = plane(vectors @ vectors.T)
    np.testing.assert_allclose(distances(found.points), distances(vectors), atol=1e-9)
    assert found.share == pytest.approx(1)


def test_the_plane_tells_what_it_cannot_show():
    """Four orthogonal vectors are a tetrahedron: three equal directions, of which the plane has two."""
    assert plane(np.eye(4)).share == pytest.approx(2 / 3)


def test_vectors_that_differ_by_rounding_are_one_point():
    noise = np.random.default_rng(0).normal(scale=1e-7, size=(5, 5))
    assert not plane(np.ones((5, 5)) + noise + noise.T).points.any()


def test_one_occurrence_is_a_point():
    assert plane(np.ones((1, 1))).points.tolist() == [[0, 0]]


def test_fitted_points_fill_the_frame_with_equal_aspect():
    points = np.array([[-1.0, 0.2], [3, 1.2], [0, -0.8]])
    inches, scale = fit(points, (6, 4), (1, 0.5))
    assert scale == 1
    np.testing.assert_allclose(distances(inches), distances(points))
    np.testing.assert_allclose(inches.min(axis=0), [1, 1])
    np.testing.assert_allclose(inches.max(axis=0), [5, 3])


def test_equal_points_are_in_the_middle():
    inches, scale = fit(np.zeros((3, 2)), (6, 4), (1, 1))
    assert (inches.tolist(), scale) == ([[3, 2]] * 3, 0)
    assert scale_bar(scale, 1) is None


def test_the_bar_means_its_cosine():
    cosine, length = scale_bar(5.0, 1.2)
    assert cosine == 0.98
    assert length == pytest.approx(5 * math.sqrt(2 - 2 * 0.98))
