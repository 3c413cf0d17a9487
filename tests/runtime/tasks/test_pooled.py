import numpy as np
import pytest

from polyseme.artifact import Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, half
from polyseme.runtime.tasks import PooledVector


@pytest.mark.parametrize(
    ("task", "output"),
    [
        (PooledVector(), NORMALIZED),
        (PooledVector(normalized=False), POOLED),
        (PooledVector(half=True), half(NORMALIZED)),
        (PooledVector(half=True).in_full(), NORMALIZED),
    ],
)
def test_output(task, output):
    assert task.output == output


def test_all_share_batches():
    assert PooledVector().batch_key == PooledVector(normalized=False, half=True).batch_key


def test_split_gives_each_text_a_row_of_its_output_and_withholds_what_is_not_finite():
    batch = PooledVector.batch([PooledVector(), PooledVector(normalized=False), PooledVector()])
    assert batch.graph is Variant.EMBED
    assert batch.outputs == sorted([NORMALIZED, POOLED])
    assert batch.selection(np.zeros(3, dtype=np.int32)) is None
    assert not batch.is_too_large
    normalized = np.array([[1, 2], [3, 4], [np.inf, 6]], dtype=np.float32)
    shares = batch.split({NORMALIZED: normalized, POOLED: normalized * 10})
    np.testing.assert_array_equal(shares[0], [1, 2])
    np.testing.assert_array_equal(shares[1], [30, 40])
    assert shares[2] is None
