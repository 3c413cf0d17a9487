"""Each family against what transformers made of a tiny random checkpoint (tests/data/golden/make_families.py)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import save_tiny_tokenizer
from tests.data.golden.make_families import FAMILIES, ids
from tests.data.golden.make_padding import NAMES as COUNT_PAST_PADDING
from tests.data.golden.make_padding import ids as ids_with_padding
from tests.export.checkpoints import change_json, change_weights, read_weights
from tests.packed import cpu_graphs
from tests.states import all_states

from polyseme.artifact import Precision, Variant
from polyseme.artifact.graphs import POOLED, TOKEN_VECTORS
from polyseme.export import CheckpointError, ExportError, ExportOptions, UnsupportedError, export_model
from polyseme.export.encoders.architectures import find
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.onnxruntime.padded_session import Session

NAMES = sorted(path.name for path in FAMILIES.iterdir())


@pytest.fixture(params=NAMES)
def family(request, tmp_path):
    return checkpoint(request.param, tmp_path)


def checkpoint(name, folder) -> Path:
    """A checkpoint of one's own, with a tokenizer."""
    source = shutil.copytree(FAMILIES / name, folder / name)
    save_tiny_tokenizer(source)
    return source


@pytest.fixture
def golden(family):
    with np.load(family / "states.npz") as states:
        return [states[name] for name in states.files]


def refusal(source):
    with pytest.raises(ExportError) as caught:
        export_model(str(source), source.parent / "out", ExportOptions(precisions=(Precision.FP32,)))
    assert str(caught.value).isprintable(), "one line"
    return type(caught.value), str(caught.value)


def test_every_layer_of_every_token_is_that_of_transformers(family, golden, tmp_path):
    artifact = export_model(str(family), tmp_path / "out", ExportOptions())
    assert artifact.manifest.parity["fused_attention"] == 2
    assert (artifact.manifest.precisions[Precision.FP16].packed is None) == (family.name == "modernbert")
    session = Session(artifact, Device(execution_provider=CPU, precision=Precision.FP32), Variant.LAYERS)
    states = all_states(
        session,
        collate(ids(), artifact.manifest.model.encoder.pad_token_id, artifact.manifest.model.encoder.padding_idx),
        2,
    )[1:]
    for row, (text, want) in enumerate(zip(ids(), golden, strict=True)):
        np.testing.assert_allclose(states[:, row, : len(text)], want, atol=3e-5, err_msg=f"{len(text)} tokens")


def test_the_reference_is_that_of_transformers(family, golden):
    source = Checkpoint(family)
    architecture = find(source)
    reference = architecture.reference(source, architecture.read_config(source))
    for layer, texts in enumerate(reference(ids())):
        for got, want in zip(texts, golden, strict=True):
            np.testing.assert_allclose(got, want[layer], atol=1e-5)


@pytest.fixture(params=COUNT_PAST_PADDING)
def padded(request, tmp_path):
    """A checkpoint, texts with its padding's id in them, and their states by transformers."""
    source = checkpoint(request.param, tmp_path)
    texts = ids_with_padding(json.loads((source / "config.json").read_text())["pad_token_id"])
    with np.load(source / "padding.npz") as states:
        return source, texts, [states[name] for name in states.files]


def test_the_reference_counts_past_padding_in_a_text_as_transformers_does(padded):
    folder, texts, golden = padded
    source = Checkpoint(folder)
    architecture = find(source)
    reference = architecture.reference(source, architecture.read_config(source))
    for layer, rows in enumerate(reference(texts)):
        for got, want in zip(rows, golden, strict=True):
            np.testing.assert_allclose(got, want[layer], atol=1e-5)


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_graphs_count_past_padding_in_a_text_as_transformers_does(padded, packed, tmp_path):
    folder, texts, golden = padded
    artifact = export_model(str(folder), tmp_path / "out", ExportOptions())
    device = Device(execution_provider=CPU, precision=Precision.FP16 if packed else Precision.FP32)
    if packed:
        engine = PackedEngine(artifact, [device], buckets=[32], cpu_graphs=cpu_graphs(artifact, device))
    else:
        engine = PaddedEngine(artifact, device)
    batch = engine.collate(texts)
    (states,) = engine.run(Variant.LAYERS, batch, [TOKEN_VECTORS], every_state(batch, 2))
    (alone, filled) = (engine.run(Variant.EMBED, engine.collate(some), [POOLED])[0] for some in (texts, texts[:2]))
    engine.close()
    tolerance = 2e-2 if packed else 3e-5  # of fp16; counted by place, elements differ by 1 and more
    np.testing.assert_allclose(states[1:], np.concatenate(golden, axis=1), atol=tolerance)
    np.testing.assert_allclose(alone, [states[-1].mean(axis=0) for states in golden], atol=tolerance)
    np.testing.assert_allclose(filled, alone[:2], atol=tolerance)


def test_the_gates_see_padding_in_a_text(padded, tmp_path):
    folder, texts, _ = padded
    artifact = export_model(str(folder), tmp_path / "out", ExportOptions(precisions=(Precision.FP32,)))
    padding_idx = artifact.manifest.model.encoder.padding_idx
    assert padding_idx == texts[0][2]
    assert any(padding_idx in text for text in artifact.manifest.probe.texts)


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_says_how_long_a_text_may_be(name, tmp_path):
    artifact = export_model(
        str(checkpoint(name, tmp_path)), tmp_path / "out", ExportOptions(precisions=(Precision.FP32,))
    )
    spec = artifact.manifest.model
    assert (spec.encoder.architecture, spec.max_tokens, spec.encoder.max_position_embeddings) == (name, 160, 160)


def test_names_with_a_prefix_and_a_head(family, golden):
    prefix = {"xlm-roberta": "roberta", "modernbert": "model"}.get(family.name, family.name)

    def add_head(weights):
        renamed = {f"{prefix}.{name}": weights.pop(name) for name in list(weights)}
        weights |= {**renamed, "classifier.weight": np.ones((2, 16), np.float32)}

    change_weights(family, add_head)
    source = Checkpoint(family)
    architecture = find(source)
    (first, *_) = architecture.reference(source, architecture.read_config(source))(ids())
    np.testing.assert_allclose(first[2], golden[2][0], atol=1e-5)
    architecture.read_encoder(source, architecture.read_config(source))  # nothing is left over


def test_a_weight_that_is_missing_is_named(family):
    ends = ("1.output.dense.weight", "1.ffn.lin2.weight", "1.mlp.Wo.weight")
    (name,) = (name for name in read_weights(family) if name.endswith(ends) and "attention" not in name)
    change_weights(family, lambda weights: weights.pop(name))
    assert refusal(family) == (CheckpointError, f"weight {name} is missing; its shape would be [16, 32]")


def test_a_weight_without_a_place_is_refused(family):
    change_weights(family, lambda weights: weights.update({"embeddings.extra.weight": np.ones(3, np.float32)}))
    assert "weight embeddings.extra.weight has no place" in refusal(family)[1]


@pytest.mark.parametrize("value", ["relu", "gelu_new", None])
def test_other_activations_are_refused(family, value):
    field = {"distilbert": "activation", "modernbert": "hidden_activation"}.get(family.name, "hidden_act")
    change_json(family / "config.json", **{field: value or ["gelu"]})
    kind, message = refusal(family)
    assert kind is UnsupportedError
    assert message.startswith(f"config.json {field} ")


@pytest.mark.parametrize(("name", "field", "value"), [
    ("roberta", "max_position_embeddings", 2), ("roberta", "pad_token_id", 500), ("mpnet", "pad_token_id", 0),
    ("mpnet", "relative_attention_num_buckets", 16), ("mpnet", "relative_attention_num_buckets", "32"),
    ("distilbert", "dim", 15), ("distilbert", "n_layers", 0), ("roberta", "type_vocab_size", 0),
    ("modernbert", "local_attention", 0), ("modernbert", "layer_types", ["full_attention"]),
    ("modernbert", "rope_parameters", {"full_attention": {"rope_theta": -1}}), ("modernbert", "attention_bias", True),
    ("modernbert", "rope_parameters", {"full_attention": {"rope_type": "yarn"}}),
    ("xlm-roberta", "position_embedding_type", "relative_key"),
])  # fmt: skip
def test_configurations_without_sense_are_refused(name, field, value, tmp_path):
    source = checkpoint(name, tmp_path)
    change_json(source / "config.json", **{field: value})
    assert "config.json" in refusal(source)[1]


@pytest.mark.parametrize("buckets", [1, 2, 3, 64])
def test_a_table_of_other_buckets_is_refused_although_its_shape_is_as_config_says(tmp_path, buckets):
    """Transformers finds the bucket of a distance among 32, whatever the configuration says."""
    source, table = checkpoint("mpnet", tmp_path), "encoder.relative_attention_bias.weight"
    change_json(source / "config.json", relative_attention_num_buckets=buckets)
    change_weights(source, lambda weights: weights.update({table: np.ones((buckets, 4), np.float32)}))
    field = "config.json relative_attention_num_buckets"
    assert refusal(source) == (UnsupportedError, f"{field} {str(buckets)!r} is not supported; 32 is")


def test_modernbert_as_its_first_configurations_tell_it(tmp_path):
    """answerdotai/ModernBERT-base has no layer_types and no rope_parameters."""
    source = checkpoint("modernbert", tmp_path)
    first = export_model(str(source), tmp_path / "first", ExportOptions(precisions=(Precision.FP32,)))
    older = {"layer_types": None, "rope_parameters": None, "global_attn_every_n_layers": 3}
    change_json(source / "config.json", **older, global_rope_theta=160000.0, local_rope_theta=10000.0)
    second = export_model(str(source), tmp_path / "second", ExportOptions(precisions=(Precision.FP32,)))
    for name in ("embed.fp32.onnx", "weights.fp32.bin"):
        assert first.manifest.files[name] == second.manifest.files[name]
