import numpy as np
import pytest

from polyseme.artifact import Pooling
from polyseme.export.gates import reference_cases
from polyseme.export.gates.reference_cases import default_lengths, make_reference_cases, make_texts

SENTENCES = [[2, *range(10, 10 + n), 3] for n in (5, 1, 30, 70, 8, 2, 12, 90, 3, 4)]


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        (3, (1, 2, 3)),
        (16, (1, 2, 3, 8, 16)),
        (17, (1, 2, 3, 8, 17)),
        (256, (1, 2, 3, 8, 17, 64, 128, 256)),
        (512, (1, 2, 3, 8, 17, 64, 128, 256, 512)),
    ],
)
def test_the_longest_is_always_among_the_lengths(longest, expected):
    assert default_lengths(longest) == expected


def test_texts_are_of_each_length_and_then_mixed():
    *alone, mixed = make_texts(SENTENCES, [1, 7, 300])
    assert [[len(text) for text in group] for group in alone] == [[1], [7], [300]]
    lengths = [len(text) for text in mixed]
    assert sorted(lengths) == lengths
    assert (len(lengths), lengths[0]) == (8, 1)
    assert max(lengths) <= 48


def test_special_tokens_stand_at_the_ends_alone():
    *alone, mixed = make_texts(SENTENCES, [1, 2, 3, 64, 300])
    for (text,) in alone[2:]:
        assert (text[0], text[-1]) == (2, 3)
        assert not {2, 3} & set(text[1:-1])
    assert [group[0] for group in alone[:2]] == [[2], [2, 3]]
    assert all(text[0] == 2 for text in mixed)


def test_texts_are_no_longer_than_the_longest():
    assert all(len(text) <= 5 for group in make_texts(SENTENCES, [1, 5]) for text in group)


def states(texts):
    """Two layers whose vectors tell which token they are of."""
    yield [np.array([[i, 1.0] for i in ids]) for ids in texts]
    yield [np.array([[i, 2.0] for i in ids]) for ids in texts]


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_every_group_gets_its_own_states(monkeypatch, chunk):
    monkeypatch.setattr(reference_cases, "_CHUNK_TOKENS", chunk)
    groups = [[[5]], [[1, 2], [3, 4, 9]], [[7, 8]]]
    made = list(make_reference_cases(states, groups, Pooling.MEAN, pad_token_id=0))
    assert [case.batch.shape for case in made] == [(1, 1), (2, 3), (1, 2)]
    assert [case.layers[1][:, 0].tolist() for case in made] == [[5], [1, 2, 3, 4, 9], [7, 8]]
    assert [states[0, 1] for states in made[1].layers] == [1.0, 2.0]


@pytest.mark.parametrize(("pooling", "first"), [(Pooling.MEAN, [1.5, 2.0]), (Pooling.CLS, [1.0, 2.0])])
def test_pooled_is_normalized(pooling, first):
    (case,) = make_reference_cases(states, [[[1, 2], [3, 4]]], pooling, pad_token_id=0)
    np.testing.assert_allclose(case.pooled[0], np.array(first) / np.hypot(*first))
    np.testing.assert_allclose(np.linalg.norm(case.pooled, axis=1), 1)
