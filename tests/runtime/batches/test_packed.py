"""Packing and buckets: pure, and so by property over random mixes."""

import numpy as np
import pytest

from polyseme.runtime.batches.packed import Bucket, pack, smallest
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.selection import every_state


def mixes(count=200, longest=40, seed=11):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield [rng.integers(1, 90, rng.integers(1, longest + 1)).tolist() for _ in range(rng.integers(1, 12))]


def test_a_packed_batch_says_where_everything_lies():
    feeds = pack([[5, 6, 7], [8], [9, 10]]).feeds()
    assert {name: values.tolist() for name, values in feeds.items()} == {
        "input_ids": [[5, 6, 7, 8, 9, 10]],
        "position_ids": [[0, 1, 2, 0, 0, 1]],
        "text_ids": [[0, 0, 0, 1, 2, 2]],
        "texts": [[0], [1], [2]],
        "cumulative_lengths": [0, 3, 4, 6],
    }
    assert {values.dtype.str for values in feeds.values()} == {"<i4"}


@pytest.mark.parametrize("sequences", [[], [[]], [[1], []]])
def test_a_text_without_a_token_is_refused(sequences):
    with pytest.raises(ValueError, match="pack needs 1 or more sequences of 1 or more ids; got lengths "):
        pack(sequences)


def test_starts_lead_to_the_same_tokens_in_both_layouts():
    for sequences in mixes():
        padded, packed = collate(sequences, 0), pack(sequences)
        for batch in (padded, packed):
            flat = batch.input_ids.ravel()
            for ids, start in zip(sequences, batch.starts, strict=True):
                assert flat[start : start + len(ids)].tolist() == ids
        texts, longest = padded.shape
        assert packed.shape == (texts, -(-longest // 8) * 8)


def test_every_state_selects_the_same_tokens_in_both_layouts():
    for sequences in mixes(50):
        padded, packed = collate(sequences, 0), pack(sequences)
        selections = [every_state(batch, 2) for batch in (padded, packed)]
        chosen = [b.input_ids.ravel()[s.positions].tolist() for b, s in zip((padded, packed), selections, strict=True)]
        assert chosen == [[token for ids in sequences for token in ids]] * 2
        np.testing.assert_array_equal(selections[0].spans.weights, selections[1].spans.weights)
        np.testing.assert_array_equal(selections[0].spans.tokens, selections[1].spans.tokens)
        np.testing.assert_allclose(selections[0].spans.weights.sum(axis=2), 1, rtol=1e-6)


@pytest.mark.parametrize("max_tokens", [16, 40, 512])
def test_a_bucket_is_filled_exactly_and_leaves_the_texts_alone(max_tokens):
    buckets = [Bucket.of(tokens, max_tokens, texts=8) for tokens in (8, 16, 32, 64, 128, 256, 512)]
    fitted = 0
    for sequences in mixes(longest=min(40, max_tokens)):
        batch = pack(sequences)
        bucket = smallest(buckets, batch)
        if bucket is None:
            assert len(sequences) > 8 or len(batch.input_ids) > 512
            continue
        full = batch.fitted(bucket, filler=77)
        assert (len(full.input_ids), full.shape) == (bucket.tokens, (bucket.texts, bucket.longest))
        assert full.lengths.sum() == bucket.tokens
        assert full.lengths.max() <= bucket.longest <= max_tokens
        assert full.lengths[: len(sequences)].tolist() == [len(ids) for ids in sequences]
        assert full.input_ids[len(batch.input_ids) :].tolist() == [77] * (bucket.tokens - len(batch.input_ids))
        feeds, own = full.feeds(), batch.feeds()
        for name in ("input_ids", "position_ids", "text_ids"):
            np.testing.assert_array_equal(feeds[name][:, : len(batch.input_ids)], own[name])
        assert feeds["position_ids"].max() < max_tokens
        fitted += 1
    assert fitted > 100


def test_the_smallest_bucket_is_taken():
    buckets = [Bucket.of(tokens, 128) for tokens in (16, 32, 64)]
    assert smallest(buckets, pack([[1] * 16])).tokens == 16
    assert smallest(buckets, pack([[1] * 17])).tokens == 32
    assert smallest(buckets, pack([[1] * 65])) is None


def test_a_bucket_takes_as_many_texts_as_it_says():
    bucket = Bucket.of(64, 16, texts=3)
    assert bucket.takes(pack([[1]] * 3))
    assert bucket.takes(pack([[1] * 16] * 4))  # no filler is needed then
    assert not bucket.takes(pack([[1]] * 4))
