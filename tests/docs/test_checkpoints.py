"""docs/checkpoints.md against what the foreign programs make of each key (tests/data/golden/keys.json), and export."""

import json
import re
from pathlib import Path

import pytest
from tests.data.golden.make_keys import GOLDEN, change, experiments, family_of, write_base
from tokenizers import Tokenizer

from polyseme.artifact import Precision
from polyseme.export import ExportError, ExportOptions, export_model

PAGE = (Path(__file__).parents[2] / "docs/checkpoints.md").read_text(encoding="utf-8")
OPTIONS = ExportOptions(name="odd", precisions=(Precision.FP32,), exporter="native")
THEIRS = json.loads(GOLDEN.read_text(encoding="utf-8"))
# What sentence-transformers does when it cuts; here a call says whether and where.
OF_A_CALL = {("tokenizer_config.json", "truncation_side")}
# What tells only where a prompt is named, and no experiment names one: tests/reference does (prompt/excluded).
OF_A_PROMPT = {("1_Pooling/config.json", "include_prompt")}


def rows():
    """What the page says, by file and key."""
    said, file = {}, ""
    for line in PAGE.splitlines():
        if title := re.fullmatch(r"## `([^`]+)`(.*)", line):
            file = title[1] + title[2]
        elif row := re.fullmatch(r"\| (`.+`|the file) \| (obeyed|refused|no effect|obeyed or refused) \|.*\|", line):
            keys = re.findall(r"`([^`]+)`", row[1]) or [""]
            said |= {(file, key): row[2] for key in keys}
    return said


def fingerprint(source, target):
    """What of an artifact tells in an answer; of the tokenizer what it does, not how its file is written."""
    artifact = export_model(str(source), target, OPTIONS)
    model = artifact.manifest.model.as_json()
    model["encoder"]["pad_token_id"] = 0
    model["heads"]["embedding"].pop("matryoshka_dims", None)
    files = {
        name: entry.sha256 for name, entry in artifact.manifest.files.items() if name.endswith((".onnx", "32.bin"))
    }
    tokenizer = json.loads(Tokenizer.from_file(str(artifact.path("tokenizer.json"))).to_str())
    tokenizer |= dict.fromkeys(("decoder", "truncation", "padding"))
    tokenizer["post_processor"].pop("pair", None)
    return json.dumps([model, files, tokenizer], sort_keys=True)


def ours(folder, bases, file, key, value):
    """`same` artifact as before, an `other`, or `refused`."""
    write_base(folder / "odd", family_of(file))
    change(folder / "odd", file, key, value)
    try:
        told = fingerprint(folder / "odd", folder / "out")
    except ExportError:
        return "refused"
    return "same" if told == bases[family_of(file)] else "other"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What export makes of each experiment, in their order."""
    bases = {}
    for family in {family_of(file) for file, _, _ in experiments()}:
        folder = tmp_path_factory.mktemp("base")
        write_base(folder / "model", family)
        bases[family] = fingerprint(folder / "model", folder / "out")
    return [ours(tmp_path_factory.mktemp("key"), bases, *experiment) for experiment in experiments()]


def test_the_golden_has_every_experiment():
    asked = [(row["file"], row["key"], row["value"]) for row in THEIRS["rows"]]
    assert asked == [tuple(json.loads(json.dumps(one))) for one in experiments()]
    for program, version in THEIRS["versions"].items():
        assert f"{program} {version}" in PAGE


def test_the_page_has_every_key_that_was_tried():
    assert {(row["file"], row["key"]) for row in THEIRS["rows"]} == set(rows())


def test_the_page_has_every_key_that_their_classes_take():
    said = rows()
    missing = {
        (file, key)
        for file, keys in THEIRS["read"].items()
        for key in keys
        if file and not {(file, key), (file.partition(" of ")[0], key)} & set(said)
    }
    assert missing == set()


def test_the_page_has_every_file_that_they_look_for():
    assert [file for file in THEIRS["read"][""] if file != "model.safetensors" and f"## `{file}`" not in PAGE] == []


def test_nothing_that_tells_is_passed_over(found):
    """Where the foreign programs answer otherwise, so does the artifact, or there is none."""
    for row, mine in zip(THEIRS["rows"], found, strict=True):
        theirs = row["told"]
        if (row["file"], row["key"]) in OF_A_CALL | OF_A_PROMPT:
            continue
        allowed = {"other": {"other", "refused"}, "same": {"same", "refused"}, "error": {"same", "other", "refused"}}
        assert mine in allowed[theirs], f"{row}: {mine}"


def test_the_page_says_what_export_does(found):
    outcomes = {}
    for row, mine in zip(THEIRS["rows"], found, strict=True):
        outcomes.setdefault((row["file"], row["key"]), set()).add(mine)
    for place, said in rows().items():
        does = outcomes[place]
        right = {
            "obeyed": "other" in does and "refused" not in does,
            "refused": "refused" in does and "other" not in does,
            "no effect": does == {"same"},
            "obeyed or refused": {"other", "refused"} <= does,
        }
        assert right[said], f"{place}: {said}, but export gives {sorted(does)}"
