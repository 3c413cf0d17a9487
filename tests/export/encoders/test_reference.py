import math

import numpy as np
import pytest

from polyseme.export.encoders.reference import attention, erf, gelu, layer_norm

EDGES = (0.0, 0.46875, 4.0, 0.1, 1.0, 2.0, 3.0, 5.0, 6.0, 26.0, 27.0, 1e-300, 5e-324, 1e300, np.inf)


def test_erf_is_that_of_the_standard_library():
    x = np.concatenate([np.linspace(-7, 7, 50_001), np.nextafter(EDGES, 0), EDGES, np.negative(EDGES)])
    expected = np.array([math.erf(value) for value in x])
    np.testing.assert_allclose(erf(x), expected, rtol=1e-15, atol=0)


def test_erf_of_nan_is_nan_and_shapes_are_kept():
    assert np.isnan(erf(np.array([np.nan]))).all()
    assert erf(np.zeros((3, 0, 2))).shape == (3, 0, 2)
    big = np.linspace(-4, 4, 90_000).reshape(300, 300)
    np.testing.assert_array_equal(erf(big)[299], erf(big[299]))


def test_gelu_is_x_times_the_normal_distribution():
    np.testing.assert_allclose(gelu(np.array([0.0, 1.0, -1.0])), [0, 0.8413447460685429, -0.15865525393145707], 1e-15)


def test_layer_norm_of_known_numbers():
    got = layer_norm(np.array([[1.0, 3.0]]), np.array([2.0, 2.0]), np.array([0.0, 1.0]), eps=0.0)
    np.testing.assert_allclose(got, [[-2.0, 3.0]], rtol=1e-15)


def test_attention_by_plain_loops():
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 5, 6))
    expected = np.zeros((5, 6))
    for head in range(2):
        columns = range(3 * head, 3 * head + 3)
        for i in range(5):
            scores = [math.exp(sum(q[i, c] * k[j, c] for c in columns) / math.sqrt(3)) for j in range(5)]
            for c in columns:
                expected[i, c] = sum(s * v[j, c] for j, s in enumerate(scores)) / sum(scores)
    np.testing.assert_allclose(attention(q, k, v, heads=2), expected, rtol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_attention_does_not_overflow(shift):
    ones = np.full((2, 4), 30.0 + shift)
    assert np.isfinite(attention(ones, ones, ones, heads=1)).all()
