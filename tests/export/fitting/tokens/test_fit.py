"""A head that finds numbers and words of z by their letters, from the file to the server."""

from dataclasses import replace

import numpy as np
import pytest
from tests.export.fitting.tokens.samples import sample
from tests.server.running import running

from polyseme.artifact import Artifact
from polyseme.client import Client
from polyseme.export.fitting.classifier import chances
from polyseme.export.fitting.tokens.fit import fit_tokens
from polyseme.export.fitting.tokens.tokens import tagged
from polyseme.export.fitting.tokens.vectors import vectors_of_tokens
from polyseme.export.fitting.writing import HeadWriter


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


@pytest.fixture(scope="module")
def texts(artifact):
    return tagged(artifact, sample(80))


@pytest.fixture(scope="module")
def vectors(artifact, texts):
    return vectors_of_tokens(artifact, texts)


@pytest.fixture(scope="module")
def fitted(texts, vectors):
    return fit_tokens(texts, vectors)


def test_what_letters_tell_is_found_in_texts_that_were_held_out(fitted, texts):
    assert fitted.labels == ("O", "B-NUM", "I-NUM", "B-ZED", "I-ZED")
    assert fitted.whole.f1 > 0.8
    assert fitted.whole.spans == sum(score.spans for score in fitted.by_label.values())
    assert fitted.curve[-1].score == fitted.whole.f1
    assert fitted.curve[-1].error == pytest.approx(fitted.whole.error)
    assert fitted.curve[-1].rows + len(fitted.curve[-1].effects) == len(texts)
    assert fitted.layer == max(fitted.tried, key=lambda one: (one.score.f1, one.layer)).layer


def test_labels_that_mean_nothing_are_not_found(texts, vectors):
    """A head that was judged on texts that it was trained on would find far more."""
    draw = np.random.default_rng(5)
    assert fit_tokens(texts, draw.normal(size=vectors.shape).astype(np.float32)).whole.f1 < 0.3


def test_equal_texts_are_held_out_together(artifact):
    """Vectors that tell which text a token is of, and nothing else, find nothing in texts that are held out."""
    each = sample(12)
    again = replace(each, **{name: getattr(each, name) * 6 for name in ("texts", "spans", "places")})
    texts = tagged(artifact, again)
    one_of = np.eye(len(texts.numbers) // 6, dtype=np.float32)[
        np.arange(len(texts.numbers)) % (len(texts.numbers) // 6)
    ]
    found = fit_tokens(texts, np.stack([one_of] * 3))
    assert found.whole.f1 == 0
    assert len(found.curve[-1].effects) % 6 == 0


def test_labels_that_one_fold_lacks_spoil_no_choice(texts, vectors):
    """I-ZED in one text alone: where that is not trained on, nothing is known of it, and no chance is nan."""
    numbers = texts.numbers.copy()
    (last,) = [number for number, label in enumerate(texts.labels) if label == "I-ZED"]
    others = np.flatnonzero(numbers == last)[1:]
    numbers[others] = 0
    few = fit_tokens(replace(texts, numbers=numbers), vectors)
    assert np.isfinite(few.classifier.bias).all()
    assert 0.25 < few.temperature < 4
    assert np.isfinite(few.calibration).all()


def test_a_server_says_of_each_token_what_was_fitted(artifact, texts, vectors, fitted, tmp_path):
    with HeadWriter(artifact, tmp_path / "new", "letters") as writer:
        written = writer.write(fitted, vectors[fitted.layer])
    expected = chances(fitted.classifier.logits(vectors[fitted.layer]))
    spanned = sample(80)
    with running(written.directory) as server, Client(server.target) as client:
        (head,) = client.model().heads
        assert (head.name, head.labels) == ("letters", fitted.labels)
        each = client.entities(list(spanned.texts), head="letters", aggregation="none")
        joined = client.entities(list(spanned.texts), head="letters")
    count = 0
    for number, found in enumerate(each):
        of_text = expected[texts.firsts[number] : texts.firsts[number + 1]]
        wanted = [row for row in of_text if row.argmax() != 0]
        assert [entity.label for entity in found.entities] == [fitted.labels[row.argmax()] for row in wanted]
        np.testing.assert_allclose(
            [entity.score for entity in found.entities], [row.max() for row in wanted], atol=1e-4
        )
        here = {(entity.start, entity.end, entity.group) for entity in joined[number].entities}
        assert here == texts.found(number, of_text)
        count += len(wanted)
    assert count > 100
