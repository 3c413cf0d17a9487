"""Artifacts that lie: every hash is right, as one who changed files on purpose would make it."""

import hashlib
import json
import shutil

import numpy as np
import onnx
import pytest
from tests.artifact.samples import seal

from polyseme.artifact import Artifact, Precision
from polyseme.export import ExportOptions, export_model
from polyseme.runtime.errors import RuntimeUnavailableError, SelfCheckError, TokenizerError
from polyseme.runtime.verification.selfcheck import Finding, self_check


@pytest.fixture
def folder(tiny_artifact, tmp_path):
    """A tiny artifact of one's own to change."""
    return shutil.copytree(tiny_artifact, tmp_path / "artifact")


def reseal(folder, change=lambda document: None):
    document = json.loads((folder / "manifest.json").read_text())
    for name in document["files"]:
        content = (folder / name).read_bytes()
        document["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change(document)
    (folder / "manifest.json").write_bytes(seal(document))
    return Artifact.open(folder)


def refusal(artifact, kind=SelfCheckError):
    with pytest.raises(kind) as caught:
        self_check(artifact)
    assert str(caught.value).isprintable(), "one line"
    return str(caught.value)


def change_graph(path, change):
    model = onnx.load(path, load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())


def swap_inputs(model, old, new):
    """Where a node takes one of two values, let it take the other."""
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = {old: new, new: old}.get(name, name)


def only_fp32(document):
    del document["precisions"]["fp16"]
    for name in [name for name in document["files"] if ".fp16." in name]:
        del document["files"][name]


def test_self_check_finds_a_tiny_artifact_sound(tiny_artifact):
    findings = self_check(Artifact.open(tiny_artifact))
    assert [finding.check for finding in findings] == ["fp32, 1 batch", "fp16, 1 batch", "fp16 against fp32"]
    assert all(isinstance(finding, Finding) and finding.result for finding in findings)


def test_self_check_finds_the_real_model_sound(minilm_artifact):
    *_, agreement = self_check(Artifact.open(minilm_artifact))
    assert float(agreement.result.removeprefix("least cosine ")) >= 0.99999


def test_self_check_full_runs_every_length(tiny_artifact):
    assert self_check(Artifact.open(tiny_artifact), full=True)[0].check == "fp32, 129 batches"


@pytest.mark.parametrize("pooling", ["mean", "cls", "mean_sqrt_len_tokens"])
def test_self_check_pools_as_the_manifest_says(tiny_checkpoint, tmp_path, pooling):
    source = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")
    modules = [
        {"type": f"sentence_transformers.models.{kind}", "path": path}
        for kind, path in (("Transformer", ""), ("Pooling", "1_Pooling"))
    ]
    (source / "modules.json").write_text(json.dumps(modules))
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode": pooling}))
    export_model(str(source), tmp_path / "out", ExportOptions())
    assert self_check(Artifact.open(tmp_path / "out"))
    other = {"mean": "cls", "cls": "mean", "mean_sqrt_len_tokens": "mean"}[pooling]
    lying = reseal(tmp_path / "out", lambda document: document["model"]["heads"]["embedding"].update(pooling=other))
    assert "fp32: embed and layers graphs differ by" in refusal(lying)


def test_self_check_runs_the_graph_for_tensorrt_too(tiny_checkpoint, tmp_path):
    options = ExportOptions(tensorrt=True, precisions=(Precision.FP32,))
    export_model(str(tiny_checkpoint), tmp_path / "out", options)
    assert self_check(Artifact.open(tmp_path / "out"))

    def change(model):
        next(node for node in model.graph.node if node.name == "layers.1.gelu.sum").op_type = "Sub"

    change_graph(tmp_path / "out" / "embed.fp32.standard.onnx", change)
    assert "embed.fp32.standard.onnx differs from embed by" in refusal(reseal(tmp_path / "out"))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_self_check_refuses_swapped_graphs(folder, precision):
    embed, layers = folder / f"embed.{precision}.onnx", folder / f"layers.{precision}.onnx"
    kept = embed.read_bytes()
    shutil.copyfile(layers, embed)
    layers.write_bytes(kept)
    assert f"embed.{precision}.onnx cannot be run: " in refusal(reseal(folder))


def test_self_check_refuses_a_layers_graph_of_another_epsilon(folder):
    def change(model):
        for node in model.graph.node:
            for attribute in node.attribute:
                if attribute.name == "epsilon":
                    attribute.f = 0.1

    change_graph(folder / "layers.fp32.onnx", change)
    assert "fp32: embed and layers graphs differ by" in refusal(reseal(folder))


def test_self_check_refuses_layers_in_another_order(folder):
    change_graph(folder / "layers.fp32.onnx", lambda model: swap_inputs(model, "select.0.stacked", "select.1.stacked"))
    assert "fp16 and fp32 differ in layer 0: " in refusal(reseal(folder))


def test_self_check_refuses_static_embeddings_of_other_rows(folder):
    def change(model):
        (gather,) = [node for node in model.graph.node if "select.static" in node.output]
        gather.input[0] = "embeddings.position"

    change_graph(folder / "layers.fp32.onnx", change)
    assert "fp16 and fp32 differ in the word embeddings: " in refusal(reseal(folder))


def test_self_check_refuses_spans_that_are_not_pooled_as_asked(folder):
    def change(model):
        (pool,) = [node for node in model.graph.node if "span_vectors" in node.output]
        model.graph.node.insert(0, onnx.helper.make_node("Mul", ["span_weights"] * 2, ["squared"]))
        pool.input[0] = "squared"

    change_graph(folder / "layers.fp32.onnx", change)
    assert "span_vectors differ from token_vectors by" in refusal(reseal(folder))


def test_self_check_refuses_a_graph_without_an_output(folder):
    def change(model):
        del model.graph.output[-1]

    change_graph(folder / "layers.fp32.onnx", change)
    assert "layers.fp32.onnx cannot be run: " in refusal(reseal(folder))


def test_self_check_refuses_vectors_of_another_width(folder):
    def change(document):
        dense = {"in_features": 32, "out_features": 16, "bias": False, "activation": "tanh"}
        document["model"]["heads"]["embedding"].update(dimensions=16, dense=[dense])
        del document["probe"]  # which would not fit

    message = refusal(reseal(folder, change))
    assert message == "fp32: weight dense.0.weight is missing; the manifest says (32, 16)"


def test_self_check_refuses_a_vocabulary_beyond_the_table(folder):
    """The manifest says that the tokenizer's ids fit; the table that is really there has 89 rows."""
    document = json.loads((folder / "tokenizer.json").read_text())
    document["model"]["vocab"]["a"] = 120
    (folder / "tokenizer.json").write_text(json.dumps(document))
    lying = reseal(folder, lambda document: document["model"]["encoder"].update(vocab_size=200))
    assert "embed.fp32.onnx cannot be run: " in refusal(lying)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_self_check_refuses_numbers_that_are_not_finite(folder, value):
    weights = np.memmap(folder / "weights.fp32.bin", "<f4", mode="r+")
    weights[-32:] = value
    weights.flush()
    assert "has numbers that are not finite" in refusal(reseal(folder))


def test_self_check_refuses_vectors_of_length_0(folder):
    """Zero has no direction: such vectors agree with everything and nothing."""
    weights = np.memmap(folder / "weights.fp32.bin", "<f4", mode="r+")
    weights[-64:] = 0  # the last layer's norm: its scale, its shift
    weights.flush()
    assert refusal(reseal(folder, only_fp32)) == "fp32: normalized has a vector of length 0, not 1"


def test_self_check_refuses_weights_of_another_model_in_one_precision(folder):
    weights = np.memmap(folder / "weights.fp16.bin", "<f2", mode="r+")
    weights[:] = weights[:] * np.float16(1.25)
    weights.flush()
    assert "fp16 and fp32" in refusal(reseal(folder))


def test_self_check_needs_no_weight_in_the_manifest_that_the_graph_names_itself(folder):
    def change(document):
        del document["precisions"]["fp32"]["tensors"][4:]

    assert self_check(reseal(folder, change))


def test_self_check_refuses_a_graph_that_is_none(folder):
    (folder / "layers.fp16.onnx").write_bytes(b"no graph")
    assert "cannot load layers.fp16.onnx" in refusal(reseal(folder), RuntimeUnavailableError)


def test_self_check_refuses_a_tokenizer_that_is_none(folder):
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer.json cannot be read" in refusal(reseal(folder), TokenizerError)


def test_self_check_refuses_a_tokenizer_of_a_larger_vocabulary(folder):
    def change(document):
        document["model"]["encoder"]["vocab_size"] = 50
        del document["probe"]  # which has larger ones

    lying = reseal(folder, change)
    assert "has ids up to 88; the model's vocabulary ends at 49" in refusal(lying, TokenizerError)


def test_self_check_refuses_pooled_vectors_that_only_nearly_agree(folder):
    """Each token is close enough; their mean, which leaves no noise, has a tighter limit."""
    entry = Artifact.open(folder).manifest.precisions[Precision.FP16]
    weights = np.memmap(folder / "weights.fp16.bin", "<f2", mode="r+")
    (offset,) = (tensor.offset for tensor in entry.tensors if tensor.name == "layers.1.output.norm.bias")
    weights[offset // 2 :][:32] += np.resize([0.01, -0.01], 32).astype(np.float16)  # the last layer's shift
    weights.flush()
    assert "fp16 and fp32 vectors have cosine 0.999" in refusal(reseal(folder))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ({"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "[UNK]"}, "tokenizer.json cannot encode texts: "),
        ({"type": "BPE", "vocab": {}, "merges": []}, "tokenizer.json finds no token in any of 5 texts"),
    ],
)
def test_self_check_refuses_a_tokenizer_that_fails_on_texts(folder, model, why):
    document = json.loads((folder / "tokenizer.json").read_text())
    document |= {"model": model, "added_tokens": [], "post_processor": None}
    document["model"] |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    assert why in refusal(reseal(folder), TokenizerError)
