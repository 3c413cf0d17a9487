import math

import numpy as np
import pytest

from polyseme.artifact import Activation, Pooling
from polyseme.runtime.verification.reference_head import Dense, apply_dense, pool, to_length_one

TOKENS = np.array([[1.0, -4.0], [3.0, 2.0], [8.0, -1.0]])
POOLED = {
    Pooling.CLS: [1, -4],
    Pooling.MEAN: [4, -1],
    Pooling.MAX: [8, 2],
    Pooling.MEAN_SQRT_LEN: [12 / math.sqrt(3), -3 / math.sqrt(3)],
    Pooling.LAST_TOKEN: [8, -1],
}
ACTIVATED = {  # of -1 and 2
    Activation.IDENTITY: [-1, 2],
    Activation.TANH: [math.tanh(-1), math.tanh(2)],
    Activation.GELU: [-0.15865525393145707, 1.9544997361036416],  # x times the normal distribution function
    Activation.RELU: [0, 2],
    Activation.SIGMOID: [1 / (1 + math.e), 1 / (1 + math.exp(-2))],
    Activation.UNIT: [-1 / math.sqrt(5), 2 / math.sqrt(5)],
}


@pytest.mark.parametrize("pooling", Pooling)
def test_pool_makes_one_vector(pooling):
    np.testing.assert_allclose(pool(TOKENS, pooling), POOLED[pooling], rtol=1e-12)


@pytest.mark.parametrize("activation", Activation)
def test_apply_dense_activates(activation):
    layer = Dense(weight=np.array([[-1.0, 1.0]]), bias=np.array([0.0, 1.0]), activation=activation)
    np.testing.assert_allclose(apply_dense(np.array([[1.0]]), [layer]), [ACTIVATED[activation]], rtol=1e-12)


def test_apply_dense_goes_through_all_layers_with_or_without_bias():
    first = Dense(weight=np.array([[2.0]]), bias=None, activation=Activation.IDENTITY)
    second = Dense(weight=np.array([[1.0]]), bias=np.array([1.0]), activation=Activation.IDENTITY)
    assert apply_dense(np.array([[3.0]]), [first, second]).tolist() == [[7.0]]
    assert apply_dense(np.array([[3.0]]), []).tolist() == [[3.0]]


def test_to_length_one_leaves_zeros():
    assert to_length_one(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]
