import numpy as np
from tests.export.fitting.tokens.samples import sample

from polyseme.artifact import Artifact
from polyseme.export.fitting.tokens.tokens import tagged
from polyseme.export.fitting.tokens.vectors import vectors_of_tokens
from polyseme.runtime.verification.difference import _Model


def test_each_row_is_a_token_of_its_text_alone_in_every_layer(tiny_artifact):
    artifact = Artifact.open(tiny_artifact)
    texts, done = tagged(artifact, sample(40)), []
    vectors = vectors_of_tokens(artifact, texts, done.append)
    assert vectors.shape == (3, texts.firsts[-1], 32)
    assert sum(done) == 40
    alone = _Model(artifact)
    for number, one in enumerate(texts.texts):
        expected = alone.states(one.ids)[:, one.rows]
        np.testing.assert_allclose(vectors[:, texts.firsts[number] : texts.firsts[number + 1]], expected, atol=1e-5)
