import json

import numpy as np
import pytest
from tests.export.checkpoints import change_json, change_weights, read_weights, write_weights

from polyseme.export import CheckpointError, ExportError, UnsupportedError
from polyseme.export.encoders.architectures import bert, find
from polyseme.export.reading.checkpoint import Checkpoint

NORM = "embeddings.LayerNorm"


def read(directory):
    checkpoint = Checkpoint(directory)
    config = find(checkpoint).read_config(checkpoint)
    return bert.read_encoder(checkpoint, config)


def refusal(directory):
    with pytest.raises(ExportError) as caught:
        read(directory)
    assert str(caught.value).isprintable()
    return type(caught.value), str(caught.value)


def assert_same(a, b):
    for (name, left), (_, right) in zip(a.initializers(), b.initializers(), strict=True):
        np.testing.assert_array_equal(left, right, err_msg=name)


def test_columns_are_query_key_value(tiny_checkpoint):
    weights, layer = read_weights(tiny_checkpoint), read(tiny_checkpoint).layers[1]
    for number, part in enumerate(("query", "key", "value")):
        at, columns = f"encoder.layer.1.attention.self.{part}", slice(32 * number, 32 * (number + 1))
        np.testing.assert_array_equal(layer.qkv_weight[:, columns], weights[at + ".weight"].T)
        np.testing.assert_array_equal(layer.qkv_bias[columns], weights[at + ".bias"])


def test_token_type_0_is_in_the_positions(tiny_checkpoint):
    weights = read_weights(tiny_checkpoint)
    expected = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    np.testing.assert_array_equal(read(tiny_checkpoint).position_embeddings, expected)


def test_names_with_a_prefix_and_a_head(checkpoint, tiny_checkpoint):
    weights = {f"bert.{name}": values for name, values in read_weights(checkpoint).items()}
    weights |= {"bert.pooler.dense.weight": np.eye(32, dtype=np.float32), "cls.predictions.bias": np.ones(9)}
    write_weights(checkpoint / "model.safetensors", weights)
    assert_same(read(tiny_checkpoint), read(checkpoint))


def test_old_names_of_layer_norm(checkpoint, tiny_checkpoint):
    def rename(weights):
        for name in [name for name in weights if "LayerNorm" in name]:
            old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            weights[old] = weights.pop(name)

    change_weights(checkpoint, rename)
    assert_same(read(tiny_checkpoint), read(checkpoint))


def test_position_ids_are_no_weights(checkpoint, tiny_checkpoint):
    change_weights(checkpoint, lambda weights: weights.update({"embeddings.position_ids": np.arange(128.0)}))
    assert_same(read(tiny_checkpoint), read(checkpoint))


@pytest.mark.parametrize(
    "name", ["encoder.layer.2.output.dense.bias", "encoder.layer.0.attention.self.distance_embedding.weight",
             "embeddings.norm.weight"]
)  # fmt: skip
def test_a_weight_without_a_place_is_refused(checkpoint, name):
    change_weights(checkpoint, lambda weights: weights.update({name: np.ones(32)}))
    assert (
        CheckpointError,
        f"weight {name} has no place in the model that config.json describes",
    ) == refusal(checkpoint)


def test_fewer_layers_than_weights_is_refused(checkpoint):
    change_json(checkpoint / "config.json", num_hidden_layers=1)
    assert "has no place in the model" in refusal(checkpoint)[1]


def test_more_layers_than_weights_is_refused(checkpoint):
    change_json(checkpoint / "config.json", num_hidden_layers=3)
    assert "weight encoder.layer.2.attention.self.query.weight is missing" in refusal(checkpoint)[1]


@pytest.mark.parametrize("name", [f"{NORM}.bias", "embeddings.token_type_embeddings.weight",
                                  "encoder.layer.1.intermediate.dense.weight"])  # fmt: skip
def test_a_missing_weight_is_named(checkpoint, name):
    change_weights(checkpoint, lambda weights: weights.pop(name))
    assert f"weight {name} is missing" in refusal(checkpoint)[1]


def test_exact_gelu_by_its_other_name(checkpoint):
    change_json(checkpoint / "config.json", hidden_act="gelu_python")
    assert read(checkpoint).config.hidden_act == "gelu"


UNSUPPORTED = {
    "model_type": ["electra", "", 3, None],
    "hidden_act": ["gelu_new", "gelu_fast", "relu", "quick_gelu", ["gelu"]],
    "position_embedding_type": ["relative_key", "relative_key_query", "rotary"],
    "is_decoder": [True],
    "add_cross_attention": [True],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in UNSUPPORTED.items() for v in values])
def test_what_the_graph_would_not_compute_is_refused(checkpoint, field, value):
    change_json(checkpoint / "config.json", **{field: value})
    kind, message = refusal(checkpoint)
    assert kind is UnsupportedError
    assert message.startswith(f"config.json {field} ")


NONSENSE = {
    "hidden_size": [0, -32, "32", 32.0, True, None, 1 << 80, 33],
    "num_hidden_layers": [0, True, None, 5000],
    "num_attention_heads": [0, 5, None],
    "intermediate_size": [None, 0],
    "vocab_size": [None, 1 << 40],
    "max_position_embeddings": [None, 0],
    "type_vocab_size": [0, 1.0],
    "layer_norm_eps": ["1e-12", -1e-12, 1, True, [1e-12]],
    "pad_token_id": [-1, 10_000, "0", True],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in NONSENSE.items() for v in values])
def test_sizes_without_sense_are_refused(checkpoint, field, value):
    change_json(checkpoint / "config.json", **{field: value})
    if value is None:
        assert field not in json.loads((checkpoint / "config.json").read_text())
    kind, message = refusal(checkpoint)
    assert kind is CheckpointError
    assert field in message


@pytest.mark.parametrize("field", ["hidden_size", "vocab_size", "max_position_embeddings", "intermediate_size"])
def test_a_size_that_the_weights_have_not_is_refused(checkpoint, field):
    change_json(checkpoint / "config.json", **{field: 36})
    assert "; config.json asks for [" in refusal(checkpoint)[1]
