"""polyseme fit, from a file to an artifact whose head is read again."""

import gzip
import json

import pytest
from tests.export.fitting.tokens.samples import rows as rows_of_spans

from polyseme.artifact import Artifact
from polyseme.cli.main import main

KINDS = (("dog", "a dog barks"), ("cat", "it naps"))
ROWS = [(f"{text} {number}", name) for number in range(12) for name, text in KINDS]


def fit(capsys, *arguments):
    code = main(["fit", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def csv_of(path, rows, header="text,label"):
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


def test_a_head_and_a_report_are_written(tiny_artifact, tmp_path, capsys):
    data = csv_of(tmp_path / "train.csv", ROWS)
    code, out, err = fit(capsys, tiny_artifact, "--data", data, "-o", tmp_path / "new", "--head", "animals")
    assert code == 0, err
    head = Artifact.open(tmp_path / "new").manifest.model.predictions["animals"]
    assert head.labels == ("cat", "dog")
    assert "rows held out" in out
    assert "head animals, 2 classes" in out
    assert {path.name for path in (tmp_path / "new-report").iterdir()} == {"report.md", "curve.svg", "confusion.svg"}


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "tsv"])
def test_other_formats_and_columns(tiny_artifact, tmp_path, capsys, suffix):
    if suffix == "tsv":
        content = "said\tkind\n" + "".join(f"{text}\t{name}\n" for text, name in ROWS)
    else:
        content = "".join(json.dumps({"said": text, "kind": name}) + "\n" for text, name in ROWS)
    data = tmp_path / f"train.{suffix}"
    data.write_bytes(gzip.compress(content.encode()) if suffix.endswith("gz") else content.encode())
    arguments = ("--text", "said", "--label", "kind", "--class-weights", "balanced", "--report", tmp_path / "figures")
    code, _, err = fit(capsys, tiny_artifact, "-d", data, *arguments, "-o", tmp_path / "new")
    assert code == 0, err
    assert "class weights balanced" in (tmp_path / "figures/report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a", "dog")] * 30, "1 classes; limits 2..1000"),
        ([*ROWS, *((f"b {n}", "cow") for n in range(9))], "'cow' has 9"),
        ([*ROWS, ("secret", ""), ("secret", " ")], "2 rows have no label: line 26, line 27"),
        ([*ROWS, ("", "dog")], "1 rows have no text: line 26"),
        ([*ROWS, ("secret", "dog", "more")], "1 rows cannot be read: line 26 has 3 fields; the header has 2"),
    ],
)
def test_faulty_rows_are_refused_by_line_and_nothing_is_left(tiny_artifact, tmp_path, capsys, rows, said):
    data = csv_of(tmp_path / "train.csv", rows)
    code, out, err = fit(capsys, tiny_artifact, "-d", data, "-o", tmp_path / "new")
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]
    assert "secret" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--label", "kind"), "has no column kind; it has 2: text, label"),
        (("--text", "kind"), "has no column kind"),
        (("--head", "No Name"), "is not a head's name"),
        (("--label", "text"), "--text and --label are one column"),
        (("--report", "train.csv"), "--report train.csv is no folder"),
        (("--report", "new"), "--report new is the artifact"),
    ],
)
def test_wrong_arguments_are_one_line_and_nothing_is_left(
    tiny_artifact, tmp_path, capsys, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    csv_of(tmp_path / "train.csv", ROWS)
    code, _, err = fit(capsys, tiny_artifact, "-d", "train.csv", "-o", "new", *arguments)
    assert code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]
    assert said in err.splitlines()[-1]


def test_a_label_of_bytes_is_no_class(tiny_artifact, tmp_path, capsys):
    pq = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").table(
        {"text": [text for text, _ in ROWS], "label": [name.encode() for _, name in ROWS]}
    )
    pq.write_table(table, tmp_path / "train.parquet")
    code, _, err = fit(capsys, tiny_artifact, "-d", tmp_path / "train.parquet", "-o", tmp_path / "new")
    assert code == 2
    assert "rows have no label" in err.splitlines()[-1]


def test_text_without_columns_has_no_labels(tiny_artifact, tmp_path, capsys):
    data = tmp_path / "train.txt"
    data.write_text("a\nb\n", encoding="utf-8")
    code, _, err = fit(capsys, tiny_artifact, "-d", data, "-o", tmp_path / "new")
    assert code == 2
    assert "train.txt" in err


def spans_of(tmp_path, *more):
    """A file of 30 texts with spans, and more of one's own."""
    sound = [{"text": text, "marks": spans} for text, spans in rows_of_spans(30)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*sound, *more]), encoding="utf-8")
    return path


def test_a_head_of_entities_and_a_report_are_written(tiny_artifact, tmp_path, capsys):
    data = spans_of(tmp_path)
    code, out, err = fit(capsys, tiny_artifact, "--data", data, "--entities", "marks", "-o", tmp_path / "new")
    assert code == 0, err
    head = Artifact.open(tmp_path / "new").manifest.model.predictions["token_classification"]
    assert head.labels == ("O", "B-NUM", "I-NUM", "B-ZED", "I-ZED")
    assert "| NUM " in out
    assert "F1 changed by" in out
    assert "head token_classification, 2 labels of spans" in out
    assert {path.name for path in (tmp_path / "new-report").iterdir()} == {"report.md", "curve.svg"}
    assert ">F1 on the rows held out" in (tmp_path / "new-report/curve.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "secret", "marks": [{"start": 0, "end": 7, "label": "NUM"}]}, "outside of its text: line 31"),
        ({"text": "secret", "marks": [{"start": 0, "end": 6}]}, "a span without a label: line 31"),
        ({"text": "secret"}, "line 31 has no field marks"),
        ({"text": "secret", "marks": [{"start": 0, "end": 6, "label": "RARE"}]}, "fewer than 10 spans: 'RARE' 1"),
    ],
)
def test_faulty_spans_are_refused_by_line_and_nothing_is_left(tiny_artifact, tmp_path, capsys, row, said):
    data = spans_of(tmp_path, row)
    code, out, err = fit(capsys, tiny_artifact, "-d", data, "--entities", "marks", "-o", tmp_path / "new")
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]
    assert "secret" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["train.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-d", "train.csv", "--entities", "label"), "train.csv: --entities are read from .jsonl and .json"),
        (("-d", "train.csv", "--offset-unit", "utf8_byte"), "--offset-unit is for --entities"),
        (("-d", "train.jsonl", "--entities", "text"), "--text and --entities are one field"),
    ],
)
def test_wrong_arguments_of_entities_are_one_line(tiny_artifact, tmp_path, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    csv_of(tmp_path / "train.csv", ROWS)
    code, _, err = fit(capsys, tiny_artifact, "-o", "new", *arguments)
    assert code == 2
    assert said in err.splitlines()[-1]
