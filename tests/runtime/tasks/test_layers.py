import numpy as np
import pytest

from polyseme.artifact import Variant
from polyseme.artifact.graphs import SPAN_VECTORS, TOKEN_VECTORS, half
from polyseme.runtime.tasks import LayerMix, LayerVectors
from polyseme.runtime.tasks import layers as module

LAST = LayerMix(((0.0, 0.0, 1.0),))
TWO = LayerMix(((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))


def task(tokens, spans=None, *, mix=LAST, hidden_size=2, **fields):
    weights = None if spans is None else np.array(spans, dtype=np.float32)
    return LayerVectors(mix, hidden_size, np.array(tokens, dtype=np.int32), weights, **fields)


def test_batch_key_is_the_mix():
    assert task([0]).batch_key == task([1, 2], [[0.5, 0.5]]).batch_key == LAST
    assert task([0], mix=TWO).batch_key != task([0]).batch_key


@pytest.mark.parametrize(
    ("one", "output"),
    [
        (task([0]), TOKEN_VECTORS),
        (task([0], [[1]]), SPAN_VECTORS),
        (task([0], half=True), half(TOKEN_VECTORS)),
        (task([0], half=True).in_full(), TOKEN_VECTORS),
    ],
)
def test_output(one, output):
    assert one.output == output


def test_rows_are_tokens_or_spans():
    assert task([0, 3, 4]).rows == 3
    assert task([0, 3, 4], [[1, 0, 0], [0, 0.5, 0.5]]).rows == 2


def test_batch_selects_tokens_by_where_their_texts_begin():
    batch = LayerVectors.batch([task([0, 2]), task([1], [[1]])])
    assert batch.graph is Variant.LAYERS
    assert batch.outputs == sorted([TOKEN_VECTORS, SPAN_VECTORS])
    selection = batch.selection(np.array([0, 5]))
    assert selection.positions.tolist() == [0, 2, 6]
    assert selection.spans.tokens.tolist() == [[2]], "the third of the tokens that are selected"
    np.testing.assert_array_equal(selection.layer_weights, [[0, 0, 1]])


def test_split_gives_each_text_its_own_and_withholds_what_is_not_finite():
    tokens = np.arange(12, dtype=np.float32).reshape(1, 6, 2)
    tokens[0, 2, 1] = np.nan
    spans = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    tasks = [task([0, 1]), task([3]), task([0, 4, 5], [[1, 0, 0], [0, 1, 0]])]
    shares = LayerVectors.batch(tasks).split({TOKEN_VECTORS: tokens, SPAN_VECTORS: spans})
    np.testing.assert_array_equal(shares[0], tokens[:, :2])
    assert shares[1] is None
    np.testing.assert_array_equal(shares[2], spans[:, 0])


def test_is_too_large_knows_what_many_spans_take_before_it_is_taken(monkeypatch):
    """A text of many spans beside one of many tokens: all groups are as large as the largest in each."""
    many_spans, many_tokens = np.ones((1024, 3)), np.ones((1, 512))
    for hidden_size, elements in ((384, 2 * 1024 * 512), (2000, 2 * 512 * 2000)):
        tasks = [
            task(range(3), many_spans, hidden_size=hidden_size),
            task(range(512), hidden_size=hidden_size),
            task(range(512), many_tokens, hidden_size=hidden_size),
        ]
        batch = LayerVectors.batch(tasks)
        spans = batch.selection(np.zeros(3, dtype=np.int32)).spans
        assert spans.weights.shape == (2, 1024, 512)
        monkeypatch.setattr(module, "_MOST_GROUPED", elements)
        assert not batch.is_too_large
        monkeypatch.setattr(module, "_MOST_GROUPED", elements - 1)
        assert batch.is_too_large
    assert not LayerVectors.batch([task(range(512))]).is_too_large


def test_arrange_gives_a_reply_its_axes():
    vectors = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    assert TWO.arrange(vectors).shape == (2, 3, 2)
    joined = LayerMix(TWO.weights, concatenated=True)
    assert joined.arrange(vectors).shape == (3, 4)
    assert joined.width(2) == 4
    assert LAST.arrange(vectors[:1]).shape == (3, 2)
