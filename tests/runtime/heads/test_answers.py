import numpy as np
import pytest
from tests.runtime.heads.test_entities import tokenized

from polyseme.runtime.heads.answers import find_spans


def context(size):
    """[CLS] q [SEP] and so many tokens of context."""
    tokens = tokenized([("x", i, i + 1, 0) for i in range(3 + size)])
    tokens.texts[:] = [-1, 0, -1, *[1] * size]
    return tokens


def spans(begins, ends, **options):
    logits = np.array([[-2.0, -2.0], [9, 9], [9, 9], *zip(begins, ends, strict=True)], dtype=np.float32)
    options = {"most_tokens": 15, "count": 1, **options}
    return find_spans(context(len(begins)), range(len(logits)), logits, **options)


def test_the_best_span_begins_before_it_ends():
    (one,) = spans([0, 1, 7], [9, 4, 1]).spans
    assert one.tokens == (3,)


def test_an_answer_has_so_many_tokens_at_most():
    (one,) = spans([9, 0, 0, 0], [0, 0, 0, 9], most_tokens=2).spans
    assert len(one.tokens) <= 2
    (one,) = spans([9, 0, 0, 0], [0, 0, 0, 9], most_tokens=4).spans
    assert one.tokens == (3, 4, 5, 6)


def test_scores_are_products_of_chances():
    found = spans([0, 0], [0, 0], count=64)
    share = 1 / (2 + np.exp(-2.0))
    assert [one.score for one in found.spans] == pytest.approx([share**2] * 3)
    assert found.none == pytest.approx((np.exp(-2.0) * share) ** 2)


def test_an_empty_context_has_none():
    found = spans([], [])
    assert (found.spans, found.none) == ([], 1.0)
