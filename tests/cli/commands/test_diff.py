"""polyseme diff, on artifacts that differ in what the test knows."""

import json
import shutil

import pytest
from tests.export.checkpoints import change_weights

from polyseme.cli.main import main
from polyseme.export import ExportOptions, export_model

THREE = ("-t", "one text", "-t", "another one", "-t", "x")


def enlarge(weights):
    """In the last layer alone."""
    for name in ("weight", "bias"):
        weights[f"encoder.layer.1.output.dense.{name}"] = weights[f"encoder.layer.1.output.dense.{name}"] * 1.5


@pytest.fixture(scope="module")
def changed(tiny_checkpoint, tmp_path_factory):
    """The tiny model with another last layer."""
    folder = tmp_path_factory.mktemp("changed")
    source = shutil.copytree(tiny_checkpoint, folder / "checkpoint")
    change_weights(source, enlarge)
    export_model(str(source), folder / "artifact", ExportOptions(name="changed"))
    return folder / "artifact"


def diff(capsys, *arguments):
    code = main(["diff", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_an_artifact_is_equal_to_itself(tiny_artifact, capsys):
    code, out, _ = diff(capsys, tiny_artifact, tiny_artifact, "--min-cosine", "0.9999999")
    assert code == 0
    assert out.splitlines()[-1].endswith("4 texts, cosine 1.0000000 at least, 1.0000000 in the middle")


def test_where_they_differ_is_shown_worst_first(tiny_artifact, changed, capsys):
    code, out, _ = diff(capsys, tiny_artifact, changed, "--json", *THREE)
    entries = json.loads(out)
    assert code == 0
    assert [entry["text"] for entry in entries] == ["one text", "another one", "x"]
    for entry in entries:
        assert entry["tokens"][0] == entry["tokens"][1]
        assert entry["layers"][:2] == pytest.approx([1, 1], abs=1e-12), "the change is in the last layer"
        assert entry["layers"][2] < 0.9999
        assert entry["cosine"] < 0.9999
    _, out, _ = diff(capsys, tiny_artifact, changed, *THREE)
    shown = [float(line.split("|")[3]) for line in out.splitlines() if line.startswith("| ") and "cosine" not in line]
    assert shown == sorted(round(entry["cosine"], 7) for entry in entries)


def test_a_limit_is_an_exit_code(tiny_artifact, changed, capsys):
    code, _, err = diff(capsys, tiny_artifact, changed, "--min-cosine", "0.99999", "-t", "one text")
    assert code == 1
    assert err.startswith("polyseme: error: texts[0]: cosine 0.")
    assert err.rstrip().endswith("at least 0.99999 is asked for")
    assert "one text" not in err


def test_texts_come_from_a_file(tiny_artifact, tmp_path, capsys):
    (tmp_path / "texts.txt").write_text("one\ntwo\n\nthree\n")
    _, out, _ = diff(capsys, tiny_artifact, tiny_artifact, "--input", tmp_path / "texts.txt", "--json")
    assert [entry["text"] for entry in json.loads(out)] == ["one", "two", "", "three"]


def test_models_of_other_sizes_are_compared_as_far_as_they_go(tiny_artifact, minilm_artifact, capsys):
    code, out, _ = diff(capsys, tiny_artifact, minilm_artifact, "-t", "one text")
    assert code == 0
    assert "vectors of 32 and 384 dimensions" in out
    assert "1 of 1 texts have other tokens, or layers that cannot be compared" in out
    assert diff(capsys, tiny_artifact, minilm_artifact, "-t", "one text", "--min-cosine", "0")[0] == 1


@pytest.mark.parametrize(("arguments", "why"), [
    (["nowhere"], "nowhere is not a directory"), (["--min-cosine", "2"], "got 2; limits -1..1"),
    (["--input", "/nowhere/at/all"], "cannot read /nowhere/at/all"),
])  # fmt: skip
def test_what_makes_no_sense_is_one_line(tiny_artifact, capsys, arguments, why):
    others = [tiny_artifact] if arguments == ["nowhere"] else [tiny_artifact, tiny_artifact]
    try:
        code, _, err = diff(capsys, *others, *arguments)
    except SystemExit as end:
        code, err = end.code, capsys.readouterr().err
    assert code == 2
    assert why in err
    assert "Traceback" not in err
