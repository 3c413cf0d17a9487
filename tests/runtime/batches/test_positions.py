import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyseme.runtime.batches.packed import Bucket, pack
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.positions import packed_position_ids, padded_position_ids

PADDING = 1
texts = st.lists(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=9), min_size=1, max_size=6)


def counted(ids):
    """As the paper's code counts, one token after the other."""
    positions, last = [], 0
    for i in ids:
        last += i != PADDING
        positions.append(0 if i == PADDING else last)
    return positions


def test_padding_in_a_text_moves_nothing_that_follows():
    ids = np.array([[0, 5, 1, 6, 2], [0, 2, 1, 1, 1]], dtype=np.int32)
    assert padded_position_ids(ids, PADDING).tolist() == [[1, 2, 0, 3, 4], [1, 2, 0, 0, 0]]
    assert packed_position_ids(ids.ravel(), np.array([5, 5]), PADDING).tolist() == [1, 2, 0, 3, 4, 1, 2, 0, 0, 0]


@given(texts)
def test_both_layouts_count_each_text_alone(sequences):
    padded, packed = collate(sequences, PADDING, PADDING).feeds(), pack(sequences, PADDING).feeds()
    assert packed["position_ids"][0].tolist() == [position for ids in sequences for position in counted(ids)]
    for row, ids in zip(padded["position_ids"], sequences, strict=True):
        assert row.tolist()[: len(ids)] == counted(ids)
        assert not row[len(ids) :].any()


@given(texts)
def test_what_fills_a_bucket_moves_nothing(sequences):
    batch = pack(sequences, PADDING)
    feeds = batch.fitted(Bucket.of(64, 64), PADDING).feeds()
    assert feeds["position_ids"][0].tolist()[: len(batch.input_ids)] == batch.feeds()["position_ids"][0].tolist()
    assert feeds["position_ids"].dtype == np.int32


def test_other_models_are_fed_no_positions_or_places():
    assert "position_ids" not in collate([[0, 1, 2]], 1).feeds()
    assert pack([[0, 1, 2], [1, 1]]).feeds()["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
