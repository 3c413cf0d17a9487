import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyseme.server.inference.similarity import Metric, matrix, pairwise, top_k, unit

RNG = np.random.default_rng(7)
A = RNG.standard_normal((5, 16)).astype(np.float32)
B = RNG.standard_normal((3, 16)).astype(np.float32)


def slow(a, b, metric):
    a, b = a.astype(float), b.astype(float)
    if metric is Metric.EUCLIDEAN:
        return np.sqrt(((a - b) ** 2).sum())
    if metric is Metric.MANHATTAN:
        return np.abs(a - b).sum()
    if metric is Metric.DOT:
        return a @ b
    return a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("metric", Metric)
def test_matrix_equals_the_definition(metric):
    expected = [[slow(a, b, metric) for b in B] for a in A]
    np.testing.assert_allclose(matrix(A, B, metric), expected, rtol=1e-6, atol=2e-6)
    assert np.float32 == matrix(A, B, metric).dtype


@pytest.mark.parametrize("metric", Metric)
def test_pairwise_is_the_diagonal_of_matrix(metric):
    np.testing.assert_allclose(pairwise(A[:3], B, metric), np.diag(matrix(A[:3], B, metric)), atol=2e-6)


def test_euclidean_of_equal_vectors_is_zero():
    # 1e-6: what float64 leaves of |a|^2 + |a|^2 - 2aa, under the root.
    np.testing.assert_allclose(np.diag(matrix(A * 100, A * 100, Metric.EUCLIDEAN)), 0, atol=1e-5)


def test_cosine_of_a_zero_vector_is_zero():
    assert matrix(np.zeros((1, 16), np.float32), B, Metric.COSINE).max() == 0


def test_cosine_stays_within_one():
    a = np.full((1, 3), 0.1, np.float32)
    assert matrix(a, a, Metric.COSINE)[0, 0] <= 1


def test_top_k_is_closest_first_with_stable_ties():
    scores = np.array([[1, 3, 3, 2]], np.float32)
    values, indices = top_k(scores, 3, Metric.DOT)
    assert values.tolist() == [[3, 3, 2]]
    assert indices.tolist() == [[1, 2, 3]]
    for metric in (Metric.EUCLIDEAN, Metric.MANHATTAN):
        _, indices = top_k(scores, 2, metric)
        assert indices.tolist() == [[0, 3]]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_top_k_agrees_with_sorting(n, m, seed):
    scores = np.random.default_rng(seed).integers(0, 4, (n, m)).astype(np.float32)
    values, indices = top_k(scores, m, Metric.COSINE)
    expected = [sorted(range(m), key=lambda j: (-row[j], j)) for row in scores]
    assert expected == indices.tolist()
    np.testing.assert_array_equal(values, np.take_along_axis(scores, indices.astype(int), axis=1))


def test_unit_keeps_zero_rows():
    assert unit(np.array([[0, 0], [3, 4]], np.float32)).tolist() == [[0, 0], [0.6000000238418579, 0.800000011920929]]
