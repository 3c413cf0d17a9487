"""Checkpoints that transformers makes, exported through optimum. Run by `make test-optimum`."""

import numpy as np
import pytest
from tests.export.checkpoints import change_json
from tests.states import all_states

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.cli.main import main
from polyseme.export import ExportOptions, GateError, UnsupportedError, export_model
from polyseme.export.gates.parity import TOLERANCES, Deviation
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer
from polyseme.runtime.verification.selfcheck import self_check

pytestmark = [
    pytest.mark.optimum,
    pytest.mark.filterwarnings("ignore"),  # those of torch and transformers are not ours to mend
    pytest.mark.usefixtures("installed"),
]
OPTIMUM = ExportOptions(name="tiny", exporter="optimum", tensorrt=True)
FP32 = ExportOptions(name="tiny", exporter="optimum", precisions=(Precision.FP32,))
TEXTS = ("Call me Ishmael.", "a", "we sat on the bank of the river, and the river rose", "")


@pytest.fixture(scope="module", params=["roberta", "distilbert", "electra"])
def exported(request, make_checkpoint, tmp_path_factory):
    """(model_type, checkpoint, artifact)."""
    checkpoint = make_checkpoint(request.param)
    target = tmp_path_factory.mktemp("exported") / request.param
    return request.param, checkpoint, export_model(str(checkpoint), target, OPTIMUM)


def states(artifact, batch):
    """[L + 1, B, S, H] in fp32: embeddings, layers 1..L."""
    session = Session(artifact, Device(execution_provider=CPU, precision=Precision.FP32), Variant.LAYERS)
    return all_states(session, batch, artifact.manifest.model.encoder.num_hidden_layers)[1:]


def ids_of(artifact):
    spec = artifact.manifest.model
    tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=spec.encoder.vocab_size)
    return [list(text.ids) for text in tokenizer.encode(TEXTS, EncodeOptions(limit=spec.max_tokens))]


def test_minilm_both_ways_is_the_same_model(minilm_source, minilm_artifact, tmp_path):
    by_optimum = export_model(str(minilm_source), tmp_path / "out", FP32)
    native = Artifact.open(minilm_artifact)
    assert by_optimum.manifest.model == native.manifest.model
    texts = ids_of(native)
    batch, deviation = collate(texts, 0), Deviation()
    pairs = list(zip(states(by_optimum, batch), states(native, batch), strict=True))
    real = np.arange(batch.shape[1]) < batch.lengths[:, None]
    for layer, (got, want) in enumerate(pairs):
        deviation.see_layer(layer, got[real].astype(np.float64), want[real].astype(np.float64))
    got, want = (sum(pair[i][real].astype(np.float64) for pair in pairs[-4:]) for i in (0, 1))
    deviation.see_last_four(got, want)
    device = Device(execution_provider=CPU, precision=Precision.FP32)
    got, want = (Session(a, device).run(batch, ["normalized"])[0].astype(np.float64) for a in (by_optimum, native))
    deviation.see_pooled(got, want)
    deviation.refuse_beyond(TOLERANCES[Precision.FP32], Precision.FP32)


def test_every_layer_is_that_of_transformers_on_a_padded_batch(exported):
    import torch
    import transformers

    _, checkpoint, artifact = exported
    batch = collate(ids_of(artifact), artifact.manifest.model.encoder.pad_token_id)
    mask = np.arange(batch.shape[1]) < batch.lengths[:, None]
    model = transformers.AutoModel.from_pretrained(checkpoint).eval()
    with torch.inference_mode():
        theirs = model(
            input_ids=torch.tensor(batch.input_ids.astype(np.int64)),
            attention_mask=torch.tensor(mask.astype(np.int64)),
            output_hidden_states=True,
        ).hidden_states
    ours = states(artifact, batch)
    assert len(theirs) == len(ours) == 3
    for want, got in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(got[mask], want.numpy()[mask], atol=3e-5)


def test_the_artifact_is_sound_and_says_who_made_it(exported):
    model_type, _, artifact = exported
    manifest = Artifact.open(artifact.directory).manifest
    assert self_check(artifact)
    encoder = manifest.model.encoder
    assert (encoder.architecture, encoder.num_hidden_layers, encoder.hidden_size) == (model_type, 2, 32)
    assert manifest.builder["exporter"] == "optimum"
    assert {"torch", "transformers", "optimum", "optimum-onnx", "onnxruntime"} <= set(manifest.builder)
    assert manifest.parity["reference"] == "float64 torch"
    assert manifest.parity["fused_attention"] == 2
    # RoBERTa begins to count behind the id of its padding, 1.
    assert manifest.model.max_tokens == (128 if model_type == "roberta" else 130)


def test_the_same_source_gives_the_same_bytes(exported, tmp_path):
    _, checkpoint, artifact = exported
    again = export_model(str(checkpoint), tmp_path / "again", OPTIMUM)
    for name in artifact.manifest.files:
        assert artifact.path(name).read_bytes() == again.path(name).read_bytes(), name
        assert str(checkpoint.parent).encode() not in artifact.path(name).read_bytes()
        assert b"site-packages" not in artifact.path(name).read_bytes()


@pytest.mark.parametrize(
    ("model_type", "found"),
    [("albert", "found eager: 1, beside"), ("mpnet", "found eager: 0, beside 16 MatMul, 2 Softmax")],
)
def test_attention_that_stays_unfused_is_refused_with_what_was_found(make_checkpoint, tmp_path, model_type, found):
    with pytest.raises(GateError) as caught:
        export_model(str(make_checkpoint(model_type)), tmp_path / "out", OPTIMUM)
    assert "2 fused operators are needed, one per layer; " + found in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_activations_that_no_mapping_has(make_checkpoint, tmp_path):
    artifact = export_model(str(make_checkpoint("bert", hidden_act="gelu_new")), tmp_path / "out", FP32)
    assert artifact.manifest.model.encoder.hidden_act == "gelu_new"


def test_auto_is_native_where_there_is_a_mapping(make_checkpoint, tmp_path):
    for model_type, exporter in (("bert", "native"), ("electra", "optimum")):
        artifact = export_model(str(make_checkpoint(model_type)), tmp_path / model_type, ExportOptions(name="tiny"))
        assert artifact.manifest.builder["exporter"] == exporter


def test_optimum_says_nothing_but_the_steps(make_checkpoint, tmp_path, capfd):
    assert main(["export", str(make_checkpoint("electra")), "-o", str(tmp_path / "out"), "--exporter", "optimum"]) == 0
    out, err = capfd.readouterr()
    steps = ("reading", "building", "comparing", "writing")
    assert [line for line in err.splitlines() if not line.startswith(steps)] == []
    assert "exporter optimum" in out


def test_a_word_table_of_another_width(make_checkpoint, tmp_path):
    with pytest.raises(UnsupportedError, match="its word table has rows of 16, its layers of 32"):
        export_model(str(make_checkpoint("electra", embedding_size=16)), tmp_path / "out", OPTIMUM)


def test_an_architecture_that_transformers_does_not_know(make_checkpoint, tmp_path):
    source = make_checkpoint("bert")
    change_json(source / "config.json", model_type="no-such-type")
    with pytest.raises(UnsupportedError, match=r"^transformers .* cannot load it: ValueError: .*no-such-type"):
        export_model(str(source), tmp_path / "out", OPTIMUM)
