import math

import numpy as np
import pytest

from polyseme.artifact import Activation, DenseSpec, HeadKind, Pooling, PredictionHead, ScoreFunction
from polyseme.runtime.heads import LoadedHead
from polyseme.runtime.heads.prediction import softmax


def head(activation=Activation.TANH, scores=ScoreFunction.SOFTMAX, norm_eps=None):
    rng = np.random.default_rng(1)
    spec = PredictionHead(
        kind=HeadKind.CLASSIFICATION,
        labels=("a", "b"),
        scores=scores,
        pooling=Pooling.CLS,
        hidden=DenseSpec(in_features=4, out_features=4, bias=True, activation=activation),
        norm_eps=norm_eps,
        output=DenseSpec(in_features=4, out_features=2, bias=False, activation=Activation.IDENTITY),
        file="head.bin",
    )
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in spec.shapes()}
    return LoadedHead(spec=spec, weights=weights)


def plain(activation, x):
    """One number at a time, in double precision."""
    return {
        Activation.IDENTITY: lambda: x,
        Activation.TANH: lambda: math.tanh(x),
        Activation.GELU: lambda: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
        Activation.RELU: lambda: max(x, 0),
        Activation.SIGMOID: lambda: 1 / (1 + math.exp(-x)),
    }[activation]()


@pytest.mark.parametrize("activation", [one for one in Activation if one is not Activation.UNIT])
def test_hidden_layers(activation):
    one, vectors = head(activation), np.random.default_rng(2).standard_normal((7, 4)).astype(np.float32) * 3
    inner = vectors.astype(np.float64) @ one.weights["hidden.weight"] + one.weights["hidden.bias"]
    activated = np.vectorize(lambda x: plain(activation, x))(inner)
    np.testing.assert_allclose(one.logits(vectors), activated @ one.weights["output.weight"], atol=2e-6)


def test_a_hidden_layer_may_give_length_one():
    one = head(Activation.UNIT)
    inner = np.ones((1, 4)) @ one.weights["hidden.weight"] + one.weights["hidden.bias"]
    want = inner / np.linalg.norm(inner) @ one.weights["output.weight"]
    np.testing.assert_allclose(one.logits(np.ones((1, 4), np.float32)), want, atol=1e-6)


def test_a_norm_after_the_hidden_layer():
    one = head(Activation.IDENTITY, norm_eps=1e-5)
    inner = np.arange(4) @ one.weights["hidden.weight"].astype(np.float64) + one.weights["hidden.bias"]
    normed = (inner - inner.mean()) / np.sqrt(inner.var() + 1e-5) * one.weights["norm.weight"]
    want = normed @ one.weights["output.weight"]
    np.testing.assert_allclose(one.logits(np.arange(4, dtype=np.float32)[None])[0], want, atol=1e-5)


def test_scores():
    logits = np.array([[0, 0], [1000, -1000]], dtype=np.float32)
    np.testing.assert_allclose(head().scores(logits), [[0.5, 0.5], [1, 0]])
    np.testing.assert_allclose(head(scores=ScoreFunction.SIGMOID).scores(logits), [[0.5, 0.5], [1, 0]])
    np.testing.assert_array_equal(head(scores=ScoreFunction.IDENTITY).scores(logits), logits)
    assert softmax(np.array([[1.0, 2.0, 3.0]], np.float32)).sum() == pytest.approx(1)
