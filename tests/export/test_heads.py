"""Several heads in one artifact."""

import numpy as np
import pytest
from tests.export.checkpoints import change_json, change_weights, read_weights
from tests.export.encoders.architectures.test_heads import FP32, checkpoint, refusal

from polyseme.export import ExportOptions, export_model


@pytest.fixture
def source(tmp_path):
    return checkpoint("bert-token_classification", tmp_path)


@pytest.fixture
def other(source, tmp_path):
    """A checkpoint that classifies, over the encoder of the first."""
    return over_encoder_of(source, checkpoint("bert-classification", tmp_path))


def over_encoder_of(source, folder):
    """The second checkpoint, its encoder replaced by that of the first."""
    encoder = read_weights(source)
    change_weights(
        folder,
        lambda weights: weights.update({name: encoder[name] for name in weights if name in encoder and "bert" in name}),
    )
    return folder


def options(**heads):
    return ExportOptions(precisions=FP32.precisions, more_heads={name: str(path) for name, path in heads.items()})


def test_an_artifact_may_hold_several_heads(source, other, tmp_path):
    artifact = export_model(str(source), tmp_path / "out", options(moods=other, more=other))
    assert list(artifact.manifest.model.heads) == ["embedding", "token_classification", "moods", "more"]
    assert artifact.manifest.model.encoder.token_types == 2
    assert {"head.moods.bin", "head.more.bin", "head.token_classification.bin"} <= set(artifact.manifest.files)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("token_classification", "--head token_classification: the artifact has a head of that name"),
        ("embedding", "--head: 'embedding' is not a head's name"),
        ("A b", "--head: 'A b' is not a head's name"),
    ],
)
def test_names_that_cannot_be_are_refused(source, other, name, message):
    assert refusal(source, options(**{name: other}))[1].startswith(message)


def test_a_head_over_another_encoder_is_refused(source, other):
    change_weights(other, lambda weights: weights.update({"bert.embeddings.LayerNorm.bias": np.ones(16, np.float32)}))
    message = refusal(source, options(moods=other))[1]
    assert message.startswith("--head moods: its encoder is not that of SOURCE (embeddings.norm.bias differs)")


def test_an_encoder_of_other_sizes_is_refused(source, other):
    change_json(other / "config.json", layer_norm_eps=1e-6)
    assert refusal(source, options(moods=other))[1] == "--head moods: its encoder has other sizes than that of SOURCE"


def test_a_checkpoint_without_a_head_is_refused(source, other):
    change_json(other / "config.json", architectures=["BertModel"])
    assert refusal(source, options(moods=other))[1] == "--head moods: the checkpoint has no head that predicts"
