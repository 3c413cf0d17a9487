import json

import pytest
from tests.export.checkpoints import change_json
from tests.export.encoders.architectures.test_heads import checkpoint

from polyseme.artifact import Artifact, Precision
from polyseme.cli.main import main


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out"


def refusal(capsys, *arguments):
    """What a refused export prints."""
    assert main(["export", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("polyseme: error: ")
    assert err.count("polyseme: error: ") == 1
    assert "Traceback" not in err
    return last.removeprefix("polyseme: error: ")


def test_export_shows_steps_and_a_summary(tiny_checkpoint, target, capsys):
    assert main(["export", str(tiny_checkpoint), "-o", str(target), "--name", "small"]) == 0
    out, err = capsys.readouterr()
    artifact = Artifact.open(target)
    steps = err.splitlines()
    assert steps[:3] == ["reading the checkpoint", "building graphs: 2 layers", "comparing with float64"]
    assert steps[-1] == "writing the manifest"
    assert out.startswith(f"small@{artifact.manifest.version} in {target}: 2 layers, 32 dimensions, at most 128 tokens")
    assert "mean pooling (assumed)" in out
    assert "| fp32 " in out
    assert "| fp16 " in out
    assert "building graphs 0." in out.splitlines()[-1]


def test_options_reach_the_artifact(tiny_checkpoint, target, capsys):
    options = ["--max-length", "9", "--precision", "fp16", "--verify", "full", "--exporter", "native"]
    assert main(["export", str(tiny_checkpoint), "-o", str(target), *options]) == 0
    manifest = Artifact.open(target).manifest
    assert (manifest.name, manifest.model.max_tokens, list(manifest.precisions)) == ("tiny", 9, [Precision.FP16])
    assert manifest.parity["verify"] == "full"


def test_force_replaces_an_artifact(tiny_checkpoint, target, capsys):
    arguments = ["export", str(tiny_checkpoint), "-o", str(target), "--precision", "fp32"]
    assert main(arguments) == 0
    capsys.readouterr()
    assert refusal(capsys, *arguments[1:]) == f"{target} holds an artifact already: --force replaces it"
    assert main([*arguments, "--force", "--name", "second"]) == 0
    assert Artifact.open(target).manifest.name == "second"


@pytest.mark.parametrize("precision", ["int8", "", "fp32,", "fp32;fp16"])
def test_an_unknown_precision(tiny_checkpoint, target, capsys, precision):
    message = refusal(capsys, tiny_checkpoint, "-o", target, "--precision", precision)
    assert message == f"--precision: got {precision!r}; fp32, fp16 or both, with a comma"


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)


OPTIMUM = "torch, transformers, optimum, optimum-onnx: pip install 'polyseme[optimum]'"


def test_optimum_says_what_to_install(tiny_checkpoint, target, capsys, without_torch):
    message = refusal(capsys, tiny_checkpoint, "-o", target, "--exporter", "optimum")
    assert message == f"--exporter optimum needs {OPTIMUM}"
    assert not target.exists()


def test_auto_says_that_optimum_may_take_it(checkpoint, target, capsys, without_torch):
    change_json(checkpoint / "config.json", model_type="electra")
    message = refusal(capsys, checkpoint, "-o", target)
    assert message.startswith("config.json model_type 'electra' has no native mapping; these do: bert")
    assert message.endswith(f"; --exporter optimum, which may take it, needs {OPTIMUM}")


@pytest.mark.parametrize("exporter", ["torch", "", "Native"])
def test_an_unknown_exporter(tiny_checkpoint, target, capsys, exporter):
    with pytest.raises(SystemExit) as caught:
        main(["export", str(tiny_checkpoint), "-o", str(target), "--exporter", exporter])
    assert caught.value.code == 2
    assert f"invalid choice: {exporter!r}" in capsys.readouterr().err


def test_no_such_source(target, capsys):
    assert "is not a directory" in refusal(capsys, "no/such/folder", "-o", target)


def test_an_unknown_architecture(checkpoint, target, capsys):
    change_json(checkpoint / "config.json", model_type="gpt2")
    message = refusal(capsys, checkpoint, "-o", target, "--exporter", "native")
    assert message.startswith("config.json model_type 'gpt2' has no native mapping; these do: bert")
    assert not target.exists()


def test_a_corrupt_checkpoint(checkpoint, target, capsys):
    content = (checkpoint / "model.safetensors").read_bytes()
    (checkpoint / "model.safetensors").write_bytes(content[: len(content) // 2])
    assert "model.safetensors is corrupt or incomplete" in refusal(capsys, checkpoint, "-o", target)


def test_a_name_that_is_none(tiny_checkpoint, target, capsys):
    assert "--name takes" in refusal(capsys, tiny_checkpoint, "-o", target, "--name", "a b")


def test_ctrl_c_ends_with_130_and_leaves_nothing(tiny_checkpoint, target, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("polyseme.export.pipeline.refuse_deviant", interrupted)
    assert main(["export", str(tiny_checkpoint), "-o", str(target)]) == 130
    assert list(target.parent.glob("*out*")) == []


def test_what_export_wrote_can_be_asked_about(tiny_checkpoint, target, capsys):
    assert main(["export", str(tiny_checkpoint), "-o", str(target), "--precision", "fp32"]) == 0
    capsys.readouterr()
    assert main(["info", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "tiny"


def test_heads_are_told_and_left_out(tmp_path, target, capsys):
    source = checkpoint("bert-token_classification", tmp_path)
    arguments = ["export", str(source), "-o", str(target), "--precision", "fp32"]
    assert main(arguments) == 0
    assert "head token_classification: softmax, 5 labels; 0.0 MB" in capsys.readouterr().out.splitlines()
    assert main([*arguments, "--force", "--heads", "none"]) == 0
    assert "head token_classification" not in capsys.readouterr().out
    assert not Artifact.open(target).manifest.model.predictions


def test_more_heads_have_names_of_their_own(tmp_path, target, capsys):
    source = checkpoint("bert-token_classification", tmp_path)
    assert main(["export", str(source), "-o", str(target), "--head", f"again={source}"]) == 0
    assert list(Artifact.open(target).manifest.model.predictions) == ["token_classification", "again"]


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        (["again"], "--head: got 'again'; NAME=SOURCE is needed"),
        (["again="], "--head: got 'again='; NAME=SOURCE is needed"),
        (["a=x", "a=y"], "--head a is given twice"),
        (["A=x"], "--head: 'A' is not a head's name"),
    ],
)
def test_heads_that_cannot_be_are_refused(tiny_checkpoint, target, capsys, heads, message):
    arguments = [part for head in heads for part in ("--head", head)]
    assert refusal(capsys, tiny_checkpoint, "-o", target, *arguments).startswith(message)
