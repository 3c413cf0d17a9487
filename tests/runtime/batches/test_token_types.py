from types import SimpleNamespace

import numpy as np

from polyseme.artifact.graphs import INPUT_IDS, POSITION_IDS
from polyseme.runtime.batches.packed import Bucket, pack
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.token_types import TokenTypes

TYPES = TokenTypes(vocab_size=100, positions=16)
PAIR, ALONE = [2, 7, 3, 108, 103], [2, 9, 3]


def test_only_models_with_two_types_have_them():
    encoder = {"vocab_size": 100, "max_position_embeddings": 16}
    assert TokenTypes.of(SimpleNamespace(**encoder, token_types=2)) == TYPES
    assert TokenTypes.of(SimpleNamespace(**encoder, token_types=1)) is None


def test_ids_are_raised_and_lowered():
    marked = TYPES.mark(np.array([2, 7, 3, 8, 3], np.int32), np.array([0, 0, 0, 1, 1], bool))
    assert marked.tolist() == PAIR
    assert marked.dtype == np.int32
    ids, rows = TYPES.split(marked)
    assert (ids.tolist(), rows.tolist()) == ([2, 7, 3, 8, 3], [0, 0, 0, 16, 16])


def test_padded_and_packed_batches_give_the_second_text_rows_of_its_own():
    padded = collate([PAIR, ALONE], 0, types=TYPES).feeds()
    assert padded[INPUT_IDS].tolist() == [[2, 7, 3, 8, 3], [2, 9, 3, 0, 0]]
    assert padded[POSITION_IDS].tolist() == [[0, 1, 2, 19, 20], [0, 1, 2, 3, 4]]
    packed = pack([PAIR, ALONE], types=TYPES)
    assert packed.feeds()[INPUT_IDS].tolist() == [[2, 7, 3, 8, 3, 2, 9, 3]]
    assert packed.feeds()[POSITION_IDS].tolist() == [[0, 1, 2, 19, 20, 0, 1, 2]]
    fitted = packed.fitted(Bucket.of(16, 16), 5).feeds()
    assert fitted[POSITION_IDS].tolist() == [[0, 1, 2, 19, 20, 0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7]]
