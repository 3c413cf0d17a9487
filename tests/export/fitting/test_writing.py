"""A fitted head in a new artifact: of the artifact before, every byte of every file, and one head more."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.server.running import running

from polyseme.artifact import Artifact, ArtifactError, InvalidManifestError
from polyseme.client import Client, InvalidArgumentError
from polyseme.export.errors import GateError
from polyseme.export.fitting.choice import Tried
from polyseme.export.fitting.classifier import chances, trained
from polyseme.export.fitting.fit import fit
from polyseme.export.fitting.texts import FitError, labelled
from polyseme.export.fitting.vectors import POOLINGS, vectors_of
from polyseme.export.fitting.writing import HeadWriter
from polyseme.runtime.heads import load_head


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


@pytest.fixture(scope="module")
def texts():
    names = [("dog", "a dog barks"), ("cat", "the cat sleeps"), ("cow", "cows eat grass")]
    rows = [(name, f"{text} {number}") for number in range(12) for name, text in names]
    return labelled([text for _, text in rows], [name for name, _ in rows], ["line"] * len(rows))


@pytest.fixture(scope="module")
def vectors(artifact, texts):
    return vectors_of(artifact, texts.texts)


@pytest.fixture(scope="module")
def fitted(texts, vectors):
    return fit(texts, vectors)


@pytest.fixture(scope="module")
def written(artifact, fitted, vectors, tmp_path_factory):
    target = tmp_path_factory.mktemp("fitted") / "animals"
    with HeadWriter(artifact, target, "animals") as writer:
        writer.write(fitted, fitted.chosen(vectors))
    return Artifact.open(target)


def test_all_that_was_there_is_there(artifact, written):
    for name in artifact.manifest.files:
        assert written.path(name).read_bytes() == artifact.path(name).read_bytes()
    assert set(written.manifest.files) - set(artifact.manifest.files) == {"head.animals.bin"}
    assert written.manifest.model.embedding == artifact.manifest.model.embedding
    assert written.manifest.version != artifact.manifest.version


def test_the_head_says_what_was_fitted(written, fitted, vectors, texts):
    head = load_head(written, "animals")
    best = fitted.choice.best
    assert (head.spec.labels, head.spec.pooling) == (("cat", "cow", "dog"), best.pooling)
    assert (2 if head.spec.layer is None else head.spec.layer) == best.layer
    chosen = vectors[best.layer, POOLINGS.index(best.pooling)]
    np.testing.assert_allclose(head.logits(chosen), fitted.classifier.logits(chosen), atol=1e-3, rtol=1e-3)
    assert (head.logits(chosen).argmax(axis=1) == texts.labels).mean() > 0.9


def test_a_head_that_is_there_is_not_replaced(written, tmp_path):
    with pytest.raises(FitError, match="has a head animals; another name is needed"):
        HeadWriter(written, tmp_path / "more", "animals")


def test_one_artifact_holds_several(written, fitted, vectors, tmp_path):
    with HeadWriter(written, tmp_path / "more", "second") as writer:
        writer.write(fitted, fitted.chosen(vectors))
    assert set(Artifact.open(tmp_path / "more").manifest.model.predictions) == {"animals", "second"}


def test_a_server_says_what_was_fitted_on_every_layer(artifact, fitted, vectors, texts, tmp_path):
    places = [(layer, place) for layer in range(3) for place in range(2)]
    heads, latest = {}, artifact
    for layer, place in places:
        chosen = vectors[layer, place]
        classifier = trained(chosen, texts.labels, 3, penalty=0.1, class_weight="none")
        best = Tried(layer=layer, pooling=POOLINGS[place], accuracy=0.5, error=0.1)
        name = f"layer-{layer}-{POOLINGS[place].value}"
        with HeadWriter(latest, tmp_path / name, name) as writer:
            choice = replace(fitted.choice, best=best)
            latest = writer.write(replace(fitted, classifier=classifier, choice=choice), chosen)
        heads[name] = chances(classifier.logits(chosen))
    with running(latest.directory) as server, Client(server.target) as client:
        for name, expected in heads.items():
            found = client.classify(list(texts.texts), head=name)
            assert found[0].labels == texts.classes
            np.testing.assert_allclose([one.scores for one in found], expected, atol=1e-4)


def test_a_fitted_head_takes_no_pairs(written):
    head = written.manifest.model.predictions["animals"]
    assert (head.texts_alone, head.takes_pairs) == (True, False)
    with running(written.directory) as server, Client(server.target) as client:
        assert client.classify(["a dog barks"], head="animals")[0].label == "dog"
        with pytest.raises(InvalidArgumentError, match="pairs are set, and head animals was made for texts alone"):
            client.classify([("a dog barks", "the cat sleeps")], head="animals")


@pytest.mark.parametrize("name", ["", "Animals", "a b", "../x", "embedding"])
def test_a_name_that_is_none_is_refused(artifact, tmp_path, name):
    with pytest.raises(InvalidManifestError, match="not a head's name"):
        HeadWriter(artifact, tmp_path / "new", name)


def test_a_directory_that_is_not_free_is_refused_before_anything_is_fitted(artifact, written):
    with pytest.raises(ArtifactError, match="holds an artifact already"):
        HeadWriter(artifact, written.directory, "animals")


def test_a_head_that_is_read_otherwise_is_refused_and_leaves_nothing(artifact, fitted, vectors, tmp_path):
    odd = replace(fitted, classifier=replace(fitted.classifier, weights=fitted.classifier.weights * np.inf))
    with (
        np.errstate(all="ignore"),
        pytest.raises((GateError, InvalidManifestError)),
        HeadWriter(artifact, tmp_path / "new", "animals") as writer,
    ):
        writer.write(odd, odd.chosen(vectors))
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_holds_no_text(written, texts):
    manifest = json.dumps(json.loads((written.directory / "manifest.json").read_text(encoding="utf-8")))
    assert not any(text in manifest for text in texts.texts)
