import numpy as np
import pytest

from polyseme.runtime.batches.padded import collate


def test_collate_pads_on_the_right():
    batch = collate([[1, 2, 3], [4]], pad_token_id=9)
    assert batch.input_ids.tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.shape == (2, 3)
    assert np.int32 == batch.input_ids.dtype == batch.lengths.dtype


@pytest.mark.parametrize("sequences", [[], [[]], [[1], []]])
def test_collate_refuses_what_has_no_mean(sequences):
    with pytest.raises(ValueError, match="1 or more"):
        collate(sequences, pad_token_id=0)


@pytest.mark.parametrize(("longest", "columns"), [(1, 8), (8, 8), (9, 16), (17, 20), (20, 20), (21, 21)])
def test_collate_pads_to_a_multiple_as_far_as_texts_may_reach(longest, columns):
    batch = collate([[1] * longest, [4]], pad_token_id=9, multiple=8, most=20)
    assert batch.shape == (2, columns)
    assert batch.input_ids[0].tolist() == [1] * longest + [9] * (columns - longest)
    assert batch.lengths.tolist() == [longest, 1]
