import json
import shutil

import numpy as np
import pytest
from tests.export.checkpoints import WEIGHTS, change_weights, read_weights, write_weights

from polyseme.export import CheckpointError
from polyseme.export.reading.checkpoint import Checkpoint, read_json

INDEX = "model.safetensors.index.json"
NAME = "embeddings.LayerNorm.weight"


def shard(directory, count=2):
    """Spread the weights over files, as large checkpoints have it."""
    weights = read_weights(directory)
    (directory / WEIGHTS).unlink()
    names = sorted(weights)
    places = {name: f"model-{i % count + 1:05}-of-{count:05}.safetensors" for i, name in enumerate(names)}
    for file in set(places.values()):
        write_weights(directory / file, {name: weights[name] for name in names if places[name] == file})
    write_index(directory, places)
    return places


def write_index(directory, places):
    (directory / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def refusal(directory):
    with pytest.raises(CheckpointError) as caught:
        Checkpoint(directory)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_shards_are_read_as_one(checkpoint, tiny_checkpoint):
    shard(checkpoint)
    sharded, whole = Checkpoint(checkpoint), Checkpoint(tiny_checkpoint)
    assert set(whole) == set(sharded)
    for name, values in read_weights(tiny_checkpoint).items():
        np.testing.assert_array_equal(sharded.tensor(name, values.shape), values)


def test_a_missing_shard_is_named(checkpoint):
    file = shard(checkpoint)[NAME]
    (checkpoint / file).unlink()
    assert f"{INDEX} names {file}, which is missing: the download is incomplete" == refusal(checkpoint)


def test_a_weight_that_is_not_in_its_shard_is_named(checkpoint):
    places = shard(checkpoint)
    other = next(file for file in places.values() if file != places[NAME])
    write_index(checkpoint, {**places, NAME: other})
    assert f"names weight '{NAME}' in {other}" in refusal(checkpoint)


@pytest.mark.parametrize("file", ["../model.safetensors", "/etc/passwd", "a/b.safetensors"])
def test_a_shard_elsewhere_is_refused(checkpoint, file):
    places = shard(checkpoint)
    write_index(checkpoint, {**places, NAME: file})
    assert "not a plain file name" in refusal(checkpoint)


@pytest.mark.parametrize("index", ["{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": []}'])
def test_an_index_without_a_map_is_refused(checkpoint, index):
    shard(checkpoint)
    (checkpoint / INDEX).write_text(index)
    assert f"{INDEX} has no weight_map of file names" == refusal(checkpoint)


def test_pickles_are_never_loaded(checkpoint):
    (checkpoint / WEIGHTS).unlink()
    (checkpoint / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    message = refusal(checkpoint)
    assert message.startswith("pytorch_model.bin is a pickle")
    assert "safe_serialization=True" in message


def test_no_weights_at_all(checkpoint):
    (checkpoint / WEIGHTS).unlink()
    assert refusal(checkpoint) == "tiny has no model.safetensors, and no model.safetensors.index.json"


def test_no_config(checkpoint):
    (checkpoint / "config.json").unlink()
    assert refusal(checkpoint) == "config.json is missing in tiny"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_config_that_is_no_json(checkpoint, content):
    (checkpoint / "config.json").write_bytes(content)
    assert "config.json cannot be read" in refusal(checkpoint)


def test_a_json_file_of_another_kind(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"a\.json: expected a JSON object, got list"):
        read_json(tmp_path / "a.json")


def test_a_missing_weight_is_named_with_its_shape(checkpoint):
    with pytest.raises(CheckpointError, match=r"weight no\.such is missing; its shape would be \[3, 4\]"):
        Checkpoint(checkpoint).tensor("no.such", (3, 4))


def test_a_misshapen_weight_is_named_with_both_shapes(checkpoint):
    with pytest.raises(CheckpointError, match=r"has shape \[32\]; config.json asks for \[33\]"):
        Checkpoint(checkpoint).tensor(NAME, (33,))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(checkpoint, value):
    change_weights(checkpoint, lambda weights: weights.update({NAME: np.full(32, value, np.float32)}))
    with pytest.raises(CheckpointError, match=f"weight {NAME} has numbers that are not finite"):
        Checkpoint(checkpoint).tensor(NAME, (32,))


def test_the_hash_is_of_weights_and_config(checkpoint, tiny_checkpoint, tmp_path):
    original = Checkpoint(tiny_checkpoint).sha256()
    assert original == Checkpoint(shutil.copytree(tiny_checkpoint, tmp_path / "moved")).sha256()
    change_weights(checkpoint, lambda weights: weights.update({NAME: weights[NAME] + 1}))
    assert original != Checkpoint(checkpoint).sha256()
