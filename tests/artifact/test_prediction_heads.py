import copy
import json

import numpy as np
import pytest
from tests.artifact.samples import CONTENT, seal, spec, write
from tests.artifact.test_manifest import DOCUMENT, refusal

from polyseme.artifact import (
    Activation,
    Artifact,
    DenseSpec,
    HeadKind,
    InvalidManifestError,
    Manifest,
    Pooling,
    PredictionHead,
    ScoreFunction,
)
from polyseme.artifact.prediction_heads import checked_head_name, refuse_labels

DENSE = {"in_features": 8, "out_features": 2, "bias": True, "activation": "identity"}
HEAD = {
    "kind": "classification",
    "scores": "softmax",
    "labels": ["no", "yes"],
    "pooling": "cls",
    "output": DENSE,
    "file": "head.bin",
}
SIZE = 4 * (8 * 2 + 2)


def document(head, size=SIZE, name="moods"):
    """A manifest with a head, its own hash made right."""
    changed = copy.deepcopy(DOCUMENT)
    changed["model"]["heads"][name] = head
    changed["files"]["head.bin"] = {"size": size, "sha256": "ab" * 32}
    return seal(changed)


@pytest.mark.parametrize("head", [HEAD, {**HEAD, "layer": 0}, {**HEAD, "layer": 1}, {**HEAD, "texts_alone": True}])
def test_a_head_is_read_as_it_was_written(head):
    manifest = Manifest.from_json(document(head))
    assert manifest.model.predictions["moods"].as_json() == head
    assert manifest.model.predictions["moods"].layer == head.get("layer")
    assert json.loads(manifest.to_json())["model"]["heads"]["moods"] == head
    assert manifest.model.embedding == Manifest.from_json(seal(DOCUMENT)).model.embedding


TOO_MANY = {**HEAD, "labels": [f"l{i}" for i in range(100_000)], "output": {**DENSE, "out_features": 100_000}}


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ({**HEAD, "kind": "magic"}, "a head of kind 'magic'; known are classification, token_classification"),
        ({**HEAD, "labels": ["no"]}, "model.heads.moods.labels: 1 labels for 2 logits"),
        ({**HEAD, "labels": ["no", "no"]}, "model.heads.moods.labels: a label stands twice"),
        ({**HEAD, "labels": ["no", ""]}, "model.heads.moods.labels: a label is not one line of 1 to 256"),
        ({**HEAD, "labels": ["no", "a\nb"]}, "model.heads.moods.labels: expected at most 10000 lines"),
        ({**HEAD, "labels": []}, "model.heads.moods.labels: 0 labels; limits 1..10000"),
        (TOO_MANY, "model.heads.moods.labels: expected at most 10000 lines"),
        ({**HEAD, "pooling": "max"}, "model.heads.moods.pooling: cls or mean for classification"),
        ({**HEAD, "kind": "token_classification"}, "model.heads.moods.pooling: cls or mean for classification, else"),
        ({**HEAD, "kind": "question_answering"}, "model.heads.moods: question_answering has 2 logits and no labels"),
        ({**HEAD, "scores": "argmax"}, "model.heads.moods.scores: got 'argmax'"),
        ({**HEAD, "output": {**DENSE, "in_features": 9}}, "model.heads.moods.output.in_features: got 9; it is given 8"),
        ({**HEAD, "file": "../x"}, "model.heads.moods.file: '../x' is not in files"),
        ({**HEAD, "file": "tokenizer.json"}, "tokenizer.json has 128 bytes; its head needs 72"),
        ({**HEAD, "layer": 99}, "model.heads.moods.layer: got 99"),
        ({**HEAD, "more": 1}, "fields that schema 5 does not know"),
    ],
)
def test_hostile_heads_are_refused_in_one_line(head, why):
    assert why in refusal(document(head))


@pytest.mark.parametrize("name", ["Moods", "a b", "../x", "x" * 65, ""])
def test_heads_have_plain_names(name):
    refusal(document(HEAD, name=name))
    with pytest.raises(InvalidManifestError, match="is not a head's name"):
        checked_head_name(name)


def test_a_head_is_not_called_as_that_of_vectors():
    assert checked_head_name("moods-2") == "moods-2"
    with pytest.raises(InvalidManifestError, match="but not embedding"):
        checked_head_name("embedding")


def test_labels_that_can_be():
    assert refuse_labels(("a", "\N{SLIGHTLY SMILING FACE}")) == ""


def test_weights_are_read_by_name(tmp_path):
    hidden = DenseSpec(in_features=8, out_features=8, bias=False, activation=Activation.GELU)
    head = PredictionHead(
        kind=HeadKind.CLASSIFICATION,
        labels=("a", "b"),
        scores=ScoreFunction.SIGMOID,
        pooling=Pooling.MEAN,
        hidden=hidden,
        norm_eps=1e-5,
        output=DenseSpec(in_features=8, out_features=2, bias=True, activation=Activation.IDENTITY),
        file="head.bin",
    )
    values = np.arange(8 * 8 + 8 + 8 * 2 + 2, dtype="<f4")
    assert head.size == values.nbytes
    model = spec()
    model.heads["moods"] = head
    write(tmp_path / "it", content={**CONTENT, "head.bin": values.tobytes()}, model=model)
    weights = Artifact.open(tmp_path / "it").head_weights("moods")
    assert {name: values.shape for name, values in weights.items()} == {
        "hidden.weight": (8, 8), "norm.weight": (8,), "output.weight": (8, 2), "output.bias": (2,),
    }  # fmt: skip
    assert np.concatenate([each.ravel() for each in weights.values()]).tolist() == values.tolist()
