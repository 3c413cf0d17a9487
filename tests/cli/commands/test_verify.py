import hashlib
import json
import random
import sys

import numpy as np
import pytest
from tests.artifact.samples import seal
from tests.export.checkpoints import change_weights

from polyseme.cli.main import main


def refusal(capsys, directory, *options):
    assert main(["verify", str(directory), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("polyseme: error: ")
    assert err.count("\n") == 1
    return err.removeprefix("polyseme: error: ").rstrip()


def reseal(directory):
    """Make every hash right again, as one who changed files on purpose would."""
    document = json.loads((directory / "manifest.json").read_text())
    for name in document["files"]:
        content = (directory / name).read_bytes()
        document["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (directory / "manifest.json").write_bytes(seal(document))


def test_a_sound_artifact(artifact, capsys):
    assert main(["verify", str(artifact)]) == 0
    out = capsys.readouterr().out
    assert "10 files, all right" in out
    assert "fp16 against fp32" in out
    assert out.rstrip().endswith("is sound")


def test_full_runs_every_length(artifact, capsys):
    assert main(["verify", str(artifact), "--full"]) == 0
    assert "fp32, 129 batches" in capsys.readouterr().out


def test_the_real_model_is_sound(minilm_artifact, capsys):
    assert main(["verify", str(minilm_artifact)]) == 0
    assert "all-MiniLM-L6-v2" in capsys.readouterr().out


NAMES = ("embed.fp16.onnx", "embed.fp32.onnx", "layers.fp16.onnx", "layers.fp32.onnx", "manifest.json",
         "tokenizer.json", "weights.fp16.bin", "weights.fp32.bin")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_flipped_bit_is_found(artifact, capsys, name):
    content = (artifact / name).read_bytes()
    places = random.Random(name)
    for _ in range(20):
        flipped = bytearray(content)
        flipped[places.randrange(len(content))] ^= 1 << places.randrange(8)
        (artifact / name).write_bytes(flipped)
        refusal(capsys, artifact)


def test_a_missing_file(artifact, capsys):
    (artifact / "weights.fp16.bin").unlink()
    assert "weights.fp16.bin is missing, though the manifest names it" in refusal(capsys, artifact)


def test_no_artifact(tmp_path, capsys):
    assert "make one with `polyseme export`" in refusal(capsys, tmp_path)


def test_weights_that_are_not_finite(artifact, capsys):
    weights = np.memmap(artifact / "weights.fp32.bin", "<f4", mode="r+")
    weights[-32:] = np.nan
    weights.flush()
    reseal(artifact)
    assert "numbers that are not finite" in refusal(capsys, artifact)


def test_weights_of_another_model_in_one_precision(artifact, capsys):
    weights = np.memmap(artifact / "weights.fp16.bin", "<f2", mode="r+")
    weights[:] = weights[:] * np.float16(1.25)
    weights.flush()
    reseal(artifact)
    assert "fp16 and fp32 differ in the word embeddings" in refusal(capsys, artifact)


def test_graphs_that_disagree(artifact, capsys):
    """The layers graph of another epsilon: loads, runs, is finite, and is not the same model."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(artifact / "layers.fp32.onnx", load_external_data=False)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "epsilon":
                attribute.f = 0.1
    (artifact / "layers.fp32.onnx").write_bytes(model.SerializeToString())
    reseal(artifact)
    assert "fp32: embed and layers graphs differ by" in refusal(capsys, artifact)


@pytest.mark.parametrize("name", ["embed.fp32.onnx", "layers.fp16.onnx", "tokenizer.json"])
def test_a_file_that_cannot_be_loaded(artifact, capsys, name):
    (artifact / name).write_bytes(b"not what it was")
    reseal(artifact)
    assert name in refusal(capsys, artifact)


def test_against_says_what_to_install(artifact, tiny_checkpoint, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    message = refusal(capsys, artifact, "--against", str(tiny_checkpoint))
    assert message == "--against needs torch, transformers: pip install 'polyseme[optimum]'"


def test_against_without_the_exporter(artifact, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    for module in ("polyseme.export.gates.second_opinion", "polyseme.export.gates.acceptance"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    message = refusal(capsys, artifact, "--against", "anything")
    assert message == "--against needs onnx: pip install 'polyseme[optimum]'"


@pytest.fixture
def _installed():
    for name in ("torch", "transformers"):
        pytest.importorskip(name, reason=f"{name} is not installed: make test-optimum")


needs_transformers = [
    pytest.mark.optimum,
    pytest.mark.filterwarnings("ignore"),  # those of torch and transformers are not ours to mend
    pytest.mark.usefixtures("_installed"),
]


def marked(test):
    for mark in needs_transformers:
        test = mark(test)
    return test


@marked
def test_against_its_own_source(artifact, tiny_checkpoint, capsys):
    assert main(["verify", str(artifact), "--against", str(tiny_checkpoint)]) == 0
    out = capsys.readouterr().out
    for line in ("layer 0, relative L2", "layer 2, relative L2", "max abs, pooled", "least cosine, pooled"):
        assert line in out
    assert out.rstrip().endswith("is sound")


@marked
def test_against_with_a_graph_for_tensorrt(tiny_checkpoint, tmp_path, capsys):
    target = tmp_path / "out"
    assert main(["export", str(tiny_checkpoint), "-o", str(target), "--tensorrt"]) == 0
    capsys.readouterr()
    assert main(["verify", str(target), "--against", str(tiny_checkpoint)]) == 0
    table = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][-8:]
    heading, *rows = [[cell.strip() for cell in line[2:-1]] for line in table]
    assert heading == ["fp32", "fp16", "fp16 packed", "fp32 standard", "fp16 standard"]
    assert [bool(cell) for cell in rows[0]] == [True, True, True, False, False], "of tokens they give nothing"
    assert rows[-1][4].startswith("0.99999")


@marked
def test_against_weights_that_were_trained_further(artifact, checkpoint, capsys):
    name = "encoder.layer.1.output.dense.bias"
    step = (np.arange(32) == 5) * np.float32(1e-2)  # not the same everywhere: the norm behind it would take that out
    change_weights(checkpoint, lambda weights: weights.update({name: weights[name] + step}))
    assert main(["verify", str(artifact), "--against", str(checkpoint)]) == 1
    out, err = capsys.readouterr()
    assert "is sound" not in out
    assert err.startswith("polyseme: error: fp32 is not equal to the reference: token_l2 is 0.00")
    assert err.count("\n") == 1


@marked
def test_against_another_model(artifact, minilm_source, capsys):
    message = refusal(capsys, artifact, "--against", str(minilm_source))
    assert message == "hidden_size is 32 in the artifact, 384 in SOURCE: not the same model"


@marked
def test_the_real_model_against_its_source(minilm_artifact, minilm_source, capsys):
    assert main(["verify", str(minilm_artifact), "--against", str(minilm_source)]) == 0
    assert "layer 6, relative L2" in capsys.readouterr().out
