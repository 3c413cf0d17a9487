import numpy as np
import pytest

from polyseme.server.inference.parts.pooling import Subtokens, span_sums

SPANS = [[2, 3, 5], [5], [3, 4]]
VECTORS = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
EXPECTED = {
    Subtokens.FIRST: lambda tokens: VECTORS[tokens[0]],
    Subtokens.LAST: lambda tokens: VECTORS[tokens[-1]],
    Subtokens.FIRST_LAST: lambda tokens: (VECTORS[tokens[0]] + VECTORS[tokens[-1]]) / 2,
    Subtokens.MEAN: lambda tokens: VECTORS[tokens].mean(axis=0),
}


@pytest.mark.parametrize("subtokens", Subtokens)
def test_span_sums_pool_the_tokens_of_each_span(subtokens):
    needed, weights = span_sums(SPANS, subtokens)
    expected = [EXPECTED[subtokens](tokens) for tokens in SPANS]
    np.testing.assert_allclose(weights @ VECTORS[needed], expected, atol=1e-6)  # float32, three terms


def test_span_sums_need_only_tokens_that_matter_each_once():
    assert span_sums(SPANS, Subtokens.FIRST)[0].tolist() == [2, 3, 5]
    assert span_sums(SPANS, Subtokens.FIRST_LAST)[0].tolist() == [2, 3, 4, 5]


def test_span_sums_of_no_spans_are_empty():
    needed, weights = span_sums([], Subtokens.MEAN)
    assert (needed.shape, weights.shape) == ((0,), (0, 0))
