"""What the `layers` graph is asked for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyseme.runtime.batches.selection import group_spans

sizes = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 7)), min_size=1, max_size=6)


@given(sizes, st.integers(0, 3))
def test_groups_pool_as_each_text_alone_does(shapes, between):
    """With tokens of other texts between them, which have no part in any sum: were they infinite, nothing would be."""
    rng = np.random.default_rng(0)
    weights = [rng.random(shape, np.float32) for shape in shapes]
    firsts = np.cumsum([0, *(size + between for _, size in shapes)])[:-1].tolist()
    vectors = np.full((sum(size + between for _, size in shapes), 3), np.inf)
    for first, each in zip(firsts, weights, strict=True):
        vectors[first : first + each.shape[1]] = rng.random((each.shape[1], 3))
    spans = group_spans(firsts, weights)
    assert spans.tokens.dtype == np.int32
    assert spans.tokens.shape == (spans.weights.shape[0], spans.weights.shape[2])
    pooled = spans.weights @ vectors[spans.tokens]
    for first, each, got in zip(firsts, weights, pooled, strict=True):
        np.testing.assert_allclose(got[: len(each)], each @ vectors[first : first + each.shape[1]], rtol=1e-6)
        assert not got[len(each) :].any()


def test_no_spans_is_a_sum_of_nothing():
    """Not a tensor without elements, with which a GPU's kernel may not be launched."""
    spans = group_spans([], [])
    assert spans.tokens.tolist() == [[0]]
    assert spans.weights.tolist() == [[[0]]]
