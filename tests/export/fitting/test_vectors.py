import numpy as np
import pytest

from polyseme.artifact import Artifact
from polyseme.export.fitting import vectors as module
from polyseme.export.fitting.texts import FitError
from polyseme.export.fitting.vectors import vectors_of
from polyseme.runtime.verification.difference import _Model

TEXTS = ["a bank", "we sat on the bank of the river.", "x", "long " * 200, "a bank"]


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


def test_each_row_is_its_text_alone_in_every_layer(artifact):
    done = []
    vectors = vectors_of(artifact, TEXTS, done.append)
    assert vectors.shape == (3, 2, len(TEXTS), 32)
    assert sum(done) == len(TEXTS)
    alone = _Model(artifact)
    for row, text in enumerate(TEXTS):
        states = alone.states(alone.encode(text))
        np.testing.assert_allclose(vectors[:, 0, row], states[:, 0], atol=1e-5)
        np.testing.assert_allclose(vectors[:, 1, row], states.mean(axis=1), atol=1e-5)


def test_what_would_not_fit_is_refused_before_anything_is_run(artifact, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 3 * 2 * 32 * 4 * 4)
    with pytest.raises(FitError, match="5 rows; limit 4 with this model"):
        vectors_of(artifact, TEXTS)
    assert vectors_of(artifact, TEXTS[:3]).shape[2] == 3


def test_batches_are_of_like_length_and_hold_every_row_once():
    lengths = [3, 9, 1, 9, 4, 30]
    batches = list(module._batches(lengths, 18))
    assert batches == [[5], [1, 3], [4, 0, 2]]
