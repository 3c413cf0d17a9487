"""One model in the many forms that checkpoints have: all must give the same artifact, gates and all."""

import hashlib

import numpy as np
import pytest
from tests.export.checkpoints import (
    WEIGHTS,
    change_weights,
    copy,
    make_sentence_transformer,
    read_weights,
    write_weights,
)
from tests.export.reading.test_checkpoint import shard
from tests.states import all_states

from polyseme.artifact import Artifact, Pooling, Precision
from polyseme.artifact.graphs import NORMALIZED, POOLED
from polyseme.export import ExportOptions, export_model
from polyseme.export.gates.parity import TOLERANCES
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session, Variant

ON_CPU = Device(execution_provider=CPU, precision=Precision.FP32)


def prefixed(folder):
    """As a checkpoint with a head has it, pooler and head included."""
    weights = {f"bert.{name}": values for name, values in read_weights(folder).items()}
    weights |= {"bert.pooler.dense.weight": np.eye(32), "cls.predictions.bias": np.ones(89)}
    write_weights(folder / WEIGHTS, weights)


def gamma_and_beta(folder):
    def rename(weights):
        for name in [name for name in weights if "LayerNorm" in name]:
            old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            weights[old] = weights.pop(name)

    change_weights(folder, rename)


def old_and_prefixed(folder):
    gamma_and_beta(folder)
    prefixed(folder)


def doubled(folder):
    write_weights(folder / WEIGHTS, read_weights(folder), "F64")


def inside(prefix):
    def put(folder):
        write_weights(folder / WEIGHTS, {prefix + name: values for name, values in read_weights(folder).items()})

    put.__name__ = prefix
    return put


def with_buffers(folder):
    change_weights(folder, lambda weights: weights.update({"embeddings.position_ids": np.arange(128.0)}))


WRAPPED = [inside(prefix) for prefix in ("model.", "0.auto_model.", "0.model.", "0.auto_model.bert.")]


@pytest.mark.parametrize("form", [prefixed, gamma_and_beta, old_and_prefixed, shard, doubled, with_buffers, *WRAPPED])
def test_another_form_gives_the_same_artifact(checkpoint, tiny_artifact, tmp_path, form):
    form(checkpoint)
    artifact = export_model(str(checkpoint), tmp_path / "out", ExportOptions(name="tiny"))
    original = Artifact.open(tiny_artifact).manifest
    assert original.files == artifact.manifest.files
    assert original.version == artifact.manifest.version
    assert original.source.sha256 != artifact.manifest.source.sha256


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_half_precision_is_widened_exactly(checkpoint, tmp_path, dtype):
    rounded = copy(checkpoint, tmp_path / "rounded")

    def round_off(weights):
        for name, values in weights.items():
            if dtype == "F16":
                weights[name] = values.astype("<f2").astype("<f4")
            else:
                weights[name] = (values.view("<u4") & 0xFFFF0000).view("<f4")

    change_weights(rounded, round_off)
    write_weights(checkpoint / WEIGHTS, read_weights(checkpoint), dtype)
    half, full = (
        export_model(str(source), tmp_path / name, ExportOptions(name="tiny"))
        for source, name in ((checkpoint, "half"), (rounded, "full"))
    )
    assert full.manifest.version == half.manifest.version
    assert full.manifest.files == half.manifest.files


def test_the_same_source_gives_the_same_version(tiny_checkpoint, tiny_artifact, tmp_path):
    artifact = export_model(str(tiny_checkpoint), tmp_path / "again", ExportOptions(name="tiny"))
    assert Artifact.open(tiny_artifact).manifest.version == artifact.manifest.version
    for name in artifact.manifest.files:
        first, second = (hashlib.sha256((folder / name).read_bytes()) for folder in (tiny_artifact, artifact.directory))
        assert first.hexdigest() == second.hexdigest(), name


def test_another_name_is_another_version(tiny_checkpoint, tiny_artifact, tmp_path):
    artifact = export_model(str(tiny_checkpoint), tmp_path / "again", ExportOptions(name="other"))
    assert Artifact.open(tiny_artifact).manifest.files == artifact.manifest.files
    assert Artifact.open(tiny_artifact).manifest.version != artifact.manifest.version


def test_cls_pooling_takes_the_first_token(checkpoint, tmp_path):
    make_sentence_transformer(checkpoint, "Transformer", "Pooling", pooling_mode_cls_token=True)
    artifact = export_model(str(checkpoint), tmp_path / "out", ExportOptions(name="tiny"))
    assert Pooling.CLS is artifact.manifest.model.embedding.pooling
    batch = collate([[2, 7, 8, 9, 3], [2, 3], [2, 40, 3]], 0)
    pooled, normalized = Session(artifact, ON_CPU).run(batch, [POOLED, NORMALIZED])
    last = all_states(Session(artifact, ON_CPU, Variant.LAYERS), batch, 2)[-1]
    np.testing.assert_array_equal(pooled, last[:, 0])
    np.testing.assert_allclose(normalized, pooled / np.linalg.norm(pooled, axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("precision", Precision)
def test_a_text_is_the_same_alone_and_padded(tiny_artifact, precision):
    """At every layer, whatever stands beside it. Other lengths add up in another order: hence a tolerance."""
    artifact = Artifact.open(tiny_artifact)
    session = Session(artifact, Device(execution_provider=CPU, precision=precision), Variant.LAYERS)
    short, long = [2, 7, 8, 3], [2, *range(5, 60), 3]
    tolerance = {Precision.FP32: 3e-6, Precision.FP16: 2e-2}[precision]  # fp16: one unit in the last place of 4
    alone = all_states(session, collate([short], 0), 2)
    padded = all_states(session, collate([long, short], 0), 2)
    for one, two in zip(alone, padded, strict=True):
        np.testing.assert_allclose(two[1, :4], one[0], atol=tolerance)


def test_every_number_of_the_report_is_within_its_limit(minilm_artifact):
    """The real model against the limits of the gates: fp32 as PyTorch's own, fp16 as its rounding."""
    manifest = Artifact.open(minilm_artifact).manifest
    for precision in Precision:
        report, limits = manifest.parity[precision.value], TOLERANCES[precision]
        assert all(0 < report[name] <= getattr(limits, name) for name in ("token_l2", "token_abs", "last_four_abs"))
        assert 0 < report["pooled_abs"] <= limits.pooled_abs
        assert all(1 >= report[name] >= getattr(limits, name) for name in ("token_cosine", "pooled_cosine"))
        assert [str(layer) for layer in range(7)] == list(report["layer_l2"])
    assert manifest.parity["lengths"] == [1, 2, 3, 8, 17, 64, 128, 256]


def test_the_limits_are_those_of_the_design():
    fp32, fp16 = TOLERANCES[Precision.FP32], TOLERANCES[Precision.FP16]
    assert (fp32.token_l2, fp32.token_abs, fp32.last_four_abs, fp32.pooled_abs) == (1e-5, 3e-5, 5e-5, 1e-6)
    assert (fp16.pooled_cosine, fp16.token_cosine) == (0.999995, 0.9999)
