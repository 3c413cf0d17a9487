import hashlib
import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from tests.conftest import tiny_tokenizer, write_tiny_checkpoint
from tests.export.checkpoints import (
    WEIGHTS,
    change_json,
    change_weights,
    copy,
    make_sentence_transformer,
    read_weights,
    write_weights,
)

from polyseme.artifact import Artifact, ArtifactError, Pooling, Precision
from polyseme.export import CheckpointError, ExportError, ExportOptions, UnsupportedError, export_model
from polyseme.export.routes import native
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer
from polyseme.runtime.verification.selfcheck import self_check

FP32 = ExportOptions(name="tiny", precisions=(Precision.FP32,))


def refusal(source, tmp_path, options=FP32, kind=ExportError):
    with pytest.raises(kind) as caught:
        export_model(str(source), tmp_path / "out", options)
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".out*")) == [], "what was begun is removed"
    assert str(caught.value).isprintable()
    return str(caught.value)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_an_export_opens_and_checks_itself(tiny_artifact):
    artifact = Artifact.open(tiny_artifact)
    spec = artifact.manifest.model
    assert (spec.encoder.num_hidden_layers, spec.encoder.hidden_size, spec.max_tokens, spec.encoder.vocab_size) == (
        2,
        32,
        128,
        89,
    )
    assert (spec.embedding.pooling, spec.embedding.pooling_assumed, spec.embedding.normalizes) == (
        Pooling.MEAN,
        True,
        False,
    )
    assert artifact.manifest.source.spec == "directory:tiny"
    assert self_check(artifact)


def test_no_path_of_the_machine_is_in_the_artifact(tiny_artifact, tiny_checkpoint):
    parents = [str(tiny_checkpoint.parent).encode(), str(tiny_artifact.parent).encode()]
    for path in tiny_artifact.iterdir():
        assert not [parent for parent in parents if parent in path.read_bytes()]


def test_the_same_source_gives_the_same_bytes(tiny_checkpoint, tiny_artifact, tmp_path):
    export_model(str(tiny_checkpoint), tmp_path / "again", ExportOptions(name="tiny"))
    assert names(tiny_artifact) == names(tmp_path / "again")
    for path in tiny_artifact.iterdir():
        if path.name != "manifest.json":  # its report has the last digits of a parallel sum
            assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_hashes_are_those_of_the_files(tiny_artifact):
    for name, entry in Artifact.open(tiny_artifact).manifest.files.items():
        assert hashlib.sha256((tiny_artifact / name).read_bytes()).hexdigest() == entry.sha256


def test_the_tokenizer_is_that_of_the_source(tiny_artifact, tiny_checkpoint):
    assert (tiny_checkpoint / "tokenizer.json").read_bytes() == (tiny_artifact / "tokenizer.json").read_bytes()


def test_padding_and_truncation_of_the_source_are_off(checkpoint, tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.enable_padding(length=64)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(checkpoint / "tokenizer.json"))
    artifact = export_model(str(checkpoint), tmp_path / "out", FP32)
    loaded = Tokenizer(artifact.path("tokenizer.json"), vocab_size=artifact.manifest.model.encoder.vocab_size)
    (text,) = loaded.encode(["abcdefgh"], EncodeOptions(limit=128))
    assert len(text.ids) == 10


@pytest.mark.parametrize("precision", Precision)
def test_one_precision_alone(tiny_checkpoint, tmp_path, precision):
    artifact = export_model(str(tiny_checkpoint), tmp_path / "out", ExportOptions(precisions=(precision,)))
    assert [precision] == list(artifact.manifest.precisions)
    kinds = (f"{precision.value}.packed", precision.value) if precision is Precision.FP16 else (precision.value,)
    graphs = {f"{variant}.{kind}.onnx" for variant in ("embed", "layers") for kind in kinds}
    assert graphs | {"tokenizer.json", "probe.bin", f"weights.{precision.value}.bin"} == set(artifact.manifest.files)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F64"])
def test_checkpoints_of_other_floats(checkpoint, tmp_path, dtype):
    write_weights(checkpoint / WEIGHTS, read_weights(checkpoint), dtype)
    artifact = export_model(str(checkpoint), tmp_path / "out", FP32)
    assert artifact.manifest.parity["fp32"]["token_l2"] < 1e-5


def test_a_sentence_transformer_is_obeyed(checkpoint, tmp_path):
    make_sentence_transformer(checkpoint, "Transformer", "Pooling", "Normalize", pooling_mode_cls_token=True)
    change_json(checkpoint / "sentence_bert_config.json", max_seq_length=40)
    change_json(checkpoint / "config_sentence_transformers.json", prompts={"query": "ask\n"})
    spec = export_model(str(checkpoint), tmp_path / "out", FP32).manifest.model
    assert (spec.embedding.pooling, spec.embedding.pooling_assumed, spec.embedding.normalizes, spec.max_tokens) == (
        Pooling.CLS,
        False,
        True,
        40,
    )
    assert Artifact.open(tmp_path / "out").manifest.model.prompts == {"query": "ask\n", "document": ""}


@pytest.mark.parametrize(("tokenizer", "own", "expected"), [
    ({"model_max_length": 40}, None, 40), ({"model_max_length": 1e30}, None, 128), ({"max_len": 30}, None, 30),
    ({"model_max_length": 999}, None, 128), ({"model_max_length": 40}, 50, 50), ({}, 999, 128), ({}, None, 128),
])  # fmt: skip
def test_the_limit_is_that_of_sentence_transformers(checkpoint, tmp_path, tokenizer, own, expected):
    make_sentence_transformer(checkpoint, "Transformer", "Pooling", pooling_mode="mean")
    change_json(checkpoint / "tokenizer_config.json", **tokenizer)
    if own:
        change_json(checkpoint / "sentence_bert_config.json", max_seq_length=own)
    assert export_model(str(checkpoint), tmp_path / "out", FP32).manifest.model.max_tokens == expected


def test_a_limit_is_never_above_the_positions_that_a_text_can_have(tmp_path):
    source = write_tiny_checkpoint(tmp_path / "tiny", model_type="roberta", pad_token_id=1, max_position_embeddings=66)
    change_json(source / "tokenizer_config.json", model_max_length=66)
    assert export_model(str(source), tmp_path / "out", FP32).manifest.model.max_tokens == 64


def test_an_encoder_in_a_folder_of_its_own_is_found(checkpoint, tmp_path):
    inner = tmp_path / "whole" / "0_Transformer"
    copy(checkpoint, inner)
    change_json(inner / "sentence_bert_config.json", max_seq_length=40)
    make_sentence_transformer(inner.parent, "Transformer", "Pooling", pooling_mode="cls")
    modules = json.loads((inner.parent / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (inner.parent / "modules.json").write_text(json.dumps(modules))
    spec = export_model(str(inner.parent), tmp_path / "out", FP32).manifest.model
    assert (spec.embedding.pooling, spec.max_tokens) == (Pooling.CLS, 40)


def test_what_is_left_out_is_told(checkpoint, tmp_path):
    def add_heads(weights):
        weights |= {f"classifier.{n}.weight": np.ones((2, 2)) for n in range(7)}
        weights |= {"cls.predictions.bias": np.ones(89), "pooler.dense.weight": np.ones((32, 32))}

    change_weights(checkpoint, add_heads)
    change_json(checkpoint / "config.json", auto_map={"AutoModel": "own.Model"})
    notes = []
    export_model(str(checkpoint), tmp_path / "out", FP32, note=notes.append)
    assert notes == [
        "left out, as no part of the encoder: weights of classifier.0 (1), classifier.1 (1), classifier.2 (1), "
        "classifier.3 (1), classifier.4 (1) and 3 more",
        "not run: code of the model's own, config.json auto_map own.Model",
    ]


def test_nothing_is_told_of_an_encoder_alone(checkpoint, tmp_path):
    notes = []
    export_model(str(checkpoint), tmp_path / "out", FP32, note=notes.append)
    assert notes == []


def test_lower_casing_goes_into_the_tokenizer(checkpoint, tmp_path):
    """Of a tokenizer that knows small letters alone."""
    make_sentence_transformer(checkpoint, "Transformer", "Pooling", pooling_mode="mean")
    change_json(checkpoint / "sentence_bert_config.json", do_lower_case=True)
    change_json(checkpoint / "tokenizer.json", normalizer=None)
    artifact = export_model(str(checkpoint), tmp_path / "out", FP32)
    tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=89)
    one, other = tokenizer.encode(["Bank", "bank"], EncodeOptions(limit=9))
    assert one.ids.tolist() == other.ids.tolist()
    assert 1 not in one.ids, "nothing is unknown"


def test_max_length_goes_up_to_the_positions(checkpoint, tmp_path):
    make_sentence_transformer(checkpoint, "Transformer", "Pooling", pooling_mode="mean")
    change_json(checkpoint / "sentence_bert_config.json", max_seq_length=40)
    options = ExportOptions(max_tokens=128, precisions=(Precision.FP32,))
    assert export_model(str(checkpoint), tmp_path / "out", options).manifest.model.max_tokens == 128


@pytest.mark.parametrize("length", [-1, 0, 2, 129, 1 << 40])
def test_max_length_beyond_its_limits(tiny_checkpoint, tmp_path, length):
    message = refusal(tiny_checkpoint, tmp_path, ExportOptions(max_tokens=length), UnsupportedError)
    assert f"--max-length: got {length}; limits 3..128, the model's positions" == message


@pytest.mark.parametrize("name", ["", "a model", "../x", "a\n", "é", "x" * 129])
def test_names_that_no_manifest_may_have(tiny_checkpoint, tmp_path, name):
    assert "is not a model's name: --name takes" in refusal(tiny_checkpoint, tmp_path, ExportOptions(name=name))


def test_a_folder_whose_name_is_no_name_asks_for_one(checkpoint, tmp_path):
    source = checkpoint.rename(tmp_path / "My Model (1)")
    assert "'My Model (1)' is not a model's name: --name" in refusal(source, tmp_path, ExportOptions())


def test_no_tokenizer(checkpoint, tmp_path):
    (checkpoint / "tokenizer.json").unlink()
    assert "tokenizer.json is missing in tiny; make it by" in refusal(checkpoint, tmp_path, kind=CheckpointError)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000])
def test_a_tokenizer_that_is_none(checkpoint, tmp_path, content):
    (checkpoint / "tokenizer.json").write_bytes(content)
    assert "tokenizer.json cannot be read" in refusal(checkpoint, tmp_path, kind=CheckpointError)


def test_a_tokenizer_of_a_larger_vocabulary(checkpoint, tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["extra"])
    tokenizer.save(str(checkpoint / "tokenizer.json"))
    expected = "tokenizer.json has ids up to 89; the model's vocabulary ends at 88"
    assert expected == refusal(checkpoint, tmp_path, kind=CheckpointError)


def test_a_weight_beyond_fp16(checkpoint, tmp_path):
    name = "encoder.layer.0.output.dense.bias"
    change_weights(checkpoint, lambda weights: weights.update({name: np.full(32, 1e5, np.float32)}))
    message = refusal(checkpoint, tmp_path, ExportOptions(name="tiny"), UnsupportedError)
    assert "weight layers.0.output.bias has 1e+05; fp16 ends at 65504" in message


def test_large_vectors_are_judged_in_their_own_units(checkpoint, tmp_path):
    for part in ("weight", "bias"):
        name = f"encoder.layer.1.output.LayerNorm.{part}"
        change_weights(checkpoint, lambda weights, name=name: weights.update({name: weights[name] * 1000}))
    report = export_model(str(checkpoint), tmp_path / "out", FP32).manifest.parity["fp32"]
    assert report["token_abs"] < 3e-5


def test_a_taken_target_is_refused_before_any_work(tiny_checkpoint, tiny_artifact):
    told = []
    with pytest.raises(ArtifactError, match="--force replaces it"):
        export_model(str(tiny_checkpoint), tiny_artifact, FP32, lambda *step: told.append(step))
    assert told == []


def test_a_full_disk_is_one_line(tiny_checkpoint, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "weights.fp32.bin")

    monkeypatch.setattr(native, "write_weights", full)
    assert refusal(tiny_checkpoint, tmp_path) == "weights.fp32.bin: No space left on device"


INTERRUPTED = """
import signal, sys
from pathlib import Path
from polyseme.export import ExportOptions, export_model

signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background inherit it ignored

def progress(step, detail=""):
    if step == "comparing with float64":
        print("now", flush=True)
        sys.stdin.read()

export_model(sys.argv[1], Path(sys.argv[2]), ExportOptions(name="tiny"), progress)
"""


def test_ctrl_c_leaves_nothing(tiny_checkpoint, tmp_path):
    command = [sys.executable, "-c", INTERRUPTED, str(tiny_checkpoint), str(tmp_path / "out")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"now\n"
        assert [path for path in tmp_path.iterdir() if path.name.startswith(".out.")], "it was under way"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", range(5))
def test_an_interrupted_replacement_leaves_the_old_artifact(tiny_checkpoint, tiny_artifact, tmp_path, step):
    target = shutil.copytree(tiny_artifact, tmp_path / "out")
    told = []

    def interrupted(*what):
        told.append(what)
        if len(told) > step:
            raise KeyboardInterrupt

    options = ExportOptions(name="other", precisions=(Precision.FP32,), replace=True)
    with pytest.raises(KeyboardInterrupt):
        export_model(str(tiny_checkpoint), target, options, interrupted)
    assert names(tmp_path) == ["out"]
    assert Artifact.open(target).manifest.name == "tiny"


def test_every_step_can_be_interrupted(tiny_checkpoint, tmp_path):
    """The last step is told before the artifact has its name."""
    options = ExportOptions(name="tiny", precisions=(Precision.FP32,))
    told = []

    def progress(*what):
        told.append(what)
        if what[0] == "writing the manifest":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_model(str(tiny_checkpoint), tmp_path / "out", options, progress)
    assert len(told) > 5
    assert list(tmp_path.iterdir()) == []


def test_minilm_is_what_its_folder_says(minilm_artifact):
    manifest = Artifact.open(minilm_artifact).manifest
    spec = manifest.model
    assert (spec.encoder.num_hidden_layers, spec.encoder.hidden_size, spec.max_tokens, spec.encoder.vocab_size) == (
        6,
        384,
        256,
        30522,
    )
    assert (spec.embedding.pooling, spec.embedding.pooling_assumed, spec.embedding.normalizes) == (
        Pooling.MEAN,
        False,
        True,
    )
    assert manifest.parity["fp32"]["token_l2"] <= 1e-5
    assert manifest.parity["fp32"]["pooled_abs"] <= 1e-6
    assert json.loads(manifest.to_json())["source"]["spec"].startswith(("package:", "directory:"))
