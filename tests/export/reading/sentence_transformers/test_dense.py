"""Dense modules that are not computed: through read_text_model, in one line."""

import json
import pickle

import numpy as np
import pytest
from tests.export.checkpoints import MODULE, WEIGHTS, change_json, make_dense, make_sentence_transformer, write_weights
from tests.export.test_refusals import Marker

from polyseme.artifact import Activation, DenseSpec
from polyseme.export import CheckpointError, UnsupportedError
from polyseme.export.reading.sentence_transformers.text_model import read_text_model

WEIGHT, BIAS = np.arange(6 * 4, dtype="<f4").reshape(6, 4), np.arange(6, dtype="<f4")
TENSORS = {"linear.weight": WEIGHT, "linear.bias": BIAS}


@pytest.fixture
def folder(tmp_path):
    """A folder of an encoder 4 wide, and one dense layer of 6."""
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", "Dense", pooling_mode="mean")
    make_dense(tmp_path / "2_Dense", WEIGHT, BIAS, "activation.Tanh")
    return tmp_path


def refusal(folder, kind):
    with pytest.raises(kind) as caught:
        read_text_model(folder, 4)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
    return str(caught.value)


def test_a_layer_is_read_as_torch_wrote_it(folder):
    model = read_text_model(folder, 4)
    (module,) = model.dense
    assert module.spec == DenseSpec(in_features=4, out_features=6, bias=True, activation=Activation.TANH)
    np.testing.assert_array_equal(module.weight, WEIGHT.T)
    np.testing.assert_array_equal(module.bias, BIAS)
    assert (model.dimensions, model.normalizes) == (6, False)


def test_a_key_that_is_not_known_is_named(folder):
    change_json(folder / "2_Dense/config.json", new_key=1)
    assert read_text_model(folder, 4).left_out == ("2_Dense/config.json new_key",)


def test_names_of_later_versions_are_known(folder):
    change_json(folder / "2_Dense/config.json", module_input_name="sentence_embedding", module_output_name=None)
    assert read_text_model(folder, 4).dimensions == 6


@pytest.mark.parametrize(
    ("change", "kind", "why"),
    [
        (
            {"activation_function": "torch.nn.modules.activation.Mish"},
            UnsupportedError,
            "'torch.nn.modules.activation.M",
        ),
        ({"activation_function": "os.system.Tanh"}, UnsupportedError, "activation_function 'os.system.Tanh' is not su"),
        (
            {"activation_function": "torch.nn.functional.Tanh"},
            UnsupportedError,
            "supported; torch.nn.Identity, torch.nn.Tanh",
        ),
        ({"activation_function": ""}, UnsupportedError, "activation_function '' is not supported; torch.nn.Identity"),
        ({"activation_function": ["Tanh"]}, UnsupportedError, "activation_function ['Tanh'] is not supported"),
        ({"in_features": 5}, CheckpointError, "2_Dense takes vectors of 5; it is given 4"),
        ({"in_features": "4"}, CheckpointError, "2_Dense in_features: got '4'; limits 1..1048576"),
        ({"out_features": 0}, CheckpointError, "2_Dense out_features: got 0; limits"),
        ({"out_features": True}, CheckpointError, "2_Dense out_features: got True; limits"),
        ({"out_features": 1 << 40}, CheckpointError, "2_Dense out_features: got 1099511627776; limits"),
        ({"out_features": None}, CheckpointError, "2_Dense out_features: got None; limits"),
        (
            {"out_features": 7},
            CheckpointError,
            "2_Dense: weight linear.weight has shape [6, 4]; config.json asks for",
        ),
        ({"bias": 1}, CheckpointError, "2_Dense bias: expected true or false, got 1"),
        ({"bias": False}, CheckpointError, "2_Dense: weight 'linear.bias' is not one that config.json asks for"),
        ({"use_residual": True}, UnsupportedError, "2_Dense/config.json has use_residual, which is not supported"),
        (
            {"module_input_name": "token_embeddings"},
            UnsupportedError,
            "2_Dense module_input_name 'token_embeddings'",
        ),
    ],
)
def test_a_config_that_is_not_computed_is_refused(folder, change, kind, why):
    change_json(folder / "2_Dense/config.json", **change)
    assert why in refusal(folder, kind)


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"linear.weight": WEIGHT.T}, "2_Dense: weight linear.weight has shape [4, 6]; config.json asks for [6, 4]"),
        ({"linear.bias": BIAS[:5]}, "2_Dense: weight linear.bias has shape [5]; config.json asks for [6]"),
        (
            {"linear.weight": WEIGHT * np.float32("nan")},
            "2_Dense: weight linear.weight has numbers that",
        ),
        ({"linear.bias": BIAS + np.float32("inf")}, "2_Dense: weight linear.bias has numbers that are not finite"),
        ({"other": BIAS}, "2_Dense: weight 'other' is not one that config.json asks for"),
        ({"linear.bias": None}, "2_Dense: weight linear.bias is missing; its shape would be [6]"),
    ],
)
def test_weights_that_do_not_fit_are_refused(folder, tensors, why):
    kept = {name: values for name, values in (TENSORS | tensors).items() if values is not None}
    write_weights(folder / "2_Dense" / WEIGHTS, kept)
    assert why in refusal(folder, CheckpointError)


def test_a_pickle_is_never_loaded(folder, tmp_path):
    (folder / "2_Dense" / WEIGHTS).unlink()
    (folder / "2_Dense/pytorch_model.bin").write_bytes(pickle.dumps(Marker(tmp_path / "it-ran")))
    message = refusal(folder, CheckpointError)
    assert message.startswith("2_Dense/pytorch_model.bin is a pickle, which can run any code and is never loaded")
    assert not (tmp_path / "it-ran").exists()


def test_a_folder_without_weights_is_refused(folder):
    (folder / "2_Dense" / WEIGHTS).unlink()
    assert refusal(folder, CheckpointError).startswith("2_Dense: 2_Dense has no model.safetensors")


@pytest.mark.parametrize("path", ["../2_Dense", "/2_Dense", "a/../../2_Dense"])
def test_a_layer_elsewhere_is_refused(folder, path):
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))
    assert "leads out of the folder" in refusal(folder, CheckpointError)


def test_a_second_layer_takes_what_the_first_gives(folder):
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"type": "sentence_transformers.base.modules.dense.Dense", "path": "3_Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    make_dense(folder / "3_Dense", WEIGHT, None, "linear.Identity")
    assert refusal(folder, CheckpointError) == "3_Dense takes vectors of 4; it is given 6"
    change_json(folder / "3_Dense/config.json", in_features=6)
    write_weights(folder / "3_Dense" / WEIGHTS, {"linear.weight": np.eye(6)})
    assert [one.spec.activation for one in read_text_model(folder, 4).dense] == [Activation.TANH, Activation.IDENTITY]


def test_seventeen_layers_are_refused(folder):
    make_dense(folder / "3_Dense", np.eye(6, dtype=np.float32), None, "linear.Identity")
    modules = json.loads((folder / "modules.json").read_text())
    more = [{"type": f"{MODULE}Dense", "path": "3_Dense"}] * 16
    (folder / "modules.json").write_text(json.dumps([*modules, *more[1:]]))
    assert len(read_text_model(folder, 4).dense) == 16
    (folder / "modules.json").write_text(json.dumps([*modules, *more]))
    assert refusal(folder, UnsupportedError) == "the model has 17 dense layers; limit 16"


def test_a_layer_that_does_not_name_its_activation_has_the_usual_one(folder):
    change_json(folder / "2_Dense/config.json", activation_function=None)
    assert read_text_model(folder, 4).dense[0].spec.activation is Activation.TANH
