"""Hostile and wrong checkpoints on their way into transformers. Run by `make test-optimum`."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from tests.export.checkpoints import WEIGHTS, change_json, change_weights, read_weights

from polyseme.artifact import Precision
from polyseme.export import CheckpointError, ExportOptions, UnsupportedError, export_model
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.routes.optimum import load_model, reference

pytestmark = [pytest.mark.optimum, pytest.mark.filterwarnings("ignore")]
OPTIMUM = ExportOptions(name="tiny", exporter="optimum", precisions=(Precision.FP32,))


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, sprung):
        self.sprung = sprung

    def __reduce__(self):
        return Path.touch, (self.sprung,)


@pytest.fixture
def source(make_checkpoint):
    return make_checkpoint("electra")


def refusal(source, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        load_model(Checkpoint(source))
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_pickle_alone_is_refused_unread(source, tmp_path):
    (source / WEIGHTS).unlink()
    (source / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin is a pickle, .* never loaded"):
        export_model(str(source), tmp_path / "out", OPTIMUM)
    assert not (tmp_path / "sprung").exists()


def test_code_and_pickles_beside_the_weights_are_never_seen(source, tmp_path):
    trap = tmp_path / "sprung"
    code = f"import pathlib; pathlib.Path({str(trap)!r}).touch()\nfrom transformers import ElectraModel as Model\n"
    (source / "modeling_trap.py").write_text(code)
    (source / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(trap)))
    change_json(
        source / "config.json",
        auto_map={"AutoModel": "modeling_trap.Model", "AutoConfig": "modeling_trap.Config"},
        _attn_implementation="nobody/kernel",
    )
    export_model(str(source), tmp_path / "out", OPTIMUM)
    assert not trap.exists()


def test_a_missing_weight_is_not_made_up(source):
    name = "encoder.layer.1.output.dense.bias"
    change_weights(source, lambda weights: weights.pop(name))
    assert f"weight {name} is missing, and 0 more; they would be random" == refusal(source)


def test_a_weight_of_another_shape(source):
    name = "encoder.layer.1.output.dense.bias"
    change_weights(source, lambda weights: weights.update({name: np.zeros(31, np.float32)}))
    assert f"weight {name} has another shape than [32], as config.json asks" == refusal(source)


def test_a_layer_that_config_does_not_know_of(source):
    change_json(source / "config.json", num_hidden_layers=1)
    assert "weight encoder.layer.1." in refusal(source)
    assert "has no place in the model that config.json describes" in refusal(source)


def test_a_weight_that_is_not_finite(source):
    name = "encoder.layer.0.output.dense.weight"
    change_weights(source, lambda weights: weights.update({name: weights[name] * np.float32(np.inf)}))
    assert f"weight {name} has numbers that are not finite" == refusal(source)


def test_heads_over_the_encoder_are_left_out(source):
    expected = read_weights(source)
    head = {"discriminator_predictions.dense.weight": np.zeros((32, 32), np.float32)}
    change_weights(source, lambda weights: (weights.clear(), weights.update(
        {f"electra.{name}": values for name, values in expected.items()} | head)))  # fmt: skip
    loaded = load_model(Checkpoint(source)).state_dict()
    for name, values in expected.items():
        np.testing.assert_array_equal(values, loaded[name].numpy(), err_msg=name)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 10**9}, "config.json num_hidden_layers: got 1000000000; limit 1024"),
        ({"text_config": {"n_layers": 2000}}, "config.json n_layers: got 2000; limit 1024"),
        ({"max_position_embeddings": 10**9}, "config.json max_position_embeddings: got 1000000000; limit 131072"),
        ({"is_decoder": True}, "config.json is_decoder is set"),
        ({"is_causal": True}, "config.json is_causal is set"),
        ({"quantization_config": {"bits": 4}}, "config.json quantization_config is set"),
        ({"num_attention_heads": 0}, "cannot load it: "),
        ({"hidden_size": -1}, "cannot load it: "),
        ({"hidden_size": "wide"}, "cannot load it: "),
    ],
)
def test_a_config_that_makes_no_sense(source, changes, said):
    change_json(source / "config.json", **changes)
    assert said in refusal(source, UnsupportedError)


def test_a_model_larger_than_its_files_is_not_made(source):
    change_json(source / "config.json", intermediate_size=1 << 24)
    assert "numbers; its weight files have" in refusal(source)


def test_the_reference_refuses_states_that_do_not_end_in_the_last_one(source):
    model = load_model(Checkpoint(source))
    own = model.forward

    def forward(**arguments):
        given = own(**arguments)
        given.last_hidden_state = given.last_hidden_state * 2
        return given

    model.forward = forward
    with pytest.raises(UnsupportedError, match="is not what its last layer gives"):
        next(reference(model)([[2, 7, 3]]))


def test_dropout_is_off(source):
    hidden_states = reference(load_model(Checkpoint(source)))
    once, twice = (list(hidden_states([[2, 7, 9, 3]]))[-1][0] for _ in range(2))
    np.testing.assert_array_equal(once, twice)
    assert once.dtype == np.float64
