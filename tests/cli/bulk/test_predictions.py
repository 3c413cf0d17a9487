"""classify and entities from file to file, with a server that predicts."""

import json
import subprocess
import sys
from itertools import islice

import pytest
from tests.cli.bulk.samples import lines, names
from tests.cli.bulk.test_resume import PROGRAM, kill_after, rows_kept
from tests.cli.commands.conftest import polyseme, server_of_heads  # noqa: F401  fixtures
from tests.data.golden.make_heads import LONG, PAIRS, TEXTS

from polyseme.cli.bulk import predictions
from polyseme.cli.inputs.records import Record
from polyseme.client import Client, InternalError, InvalidArgumentError, UnavailableError

MOODS, TAGGER = ("--model", "bert-classification"), ("--model", "bert-token_classification")


@pytest.fixture
def some(monkeypatch):
    """Ask about four texts at once, so that a short file takes several turns."""
    monkeypatch.setattr(predictions, "_RECORDS", 4)


@pytest.fixture
def given(tmp_path):
    path = tmp_path / "in.jsonl"
    write(path, [{"text": text, "id": row} for row, text in enumerate(TEXTS * 3)])
    return path


def write(path, entries):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def entries(path):
    return [json.loads(line) for line in lines(path)]


@pytest.mark.parametrize(("command", "model"), [("classify", MOODS), ("entities", TAGGER)])
def test_a_file_has_the_lines_of_texts(polyseme, given, tmp_path, some, command, model):  # noqa: F811
    out = tmp_path / "out.jsonl"
    code, _, err = polyseme(command, "--input", str(given), "--keep", "id", "-o", str(out), *model)
    assert (code, names(tmp_path)) == (0, ["in.jsonl", "out.jsonl"])
    assert f"{out}: 12 rows" in err
    found = entries(out)
    assert [(entry["row"], entry["id"], entry["text"]) for entry in found] == [
        (row, row, text) for row, text in enumerate(TEXTS * 3)
    ]
    _, shown, _ = polyseme(command, *TEXTS * 3, *model)
    want = [json.loads(line) for line in shown.splitlines()]
    assert [rounded(entry) for entry in found] == [rounded({**entry, "id": entry["row"]}) for entry in want]


def rounded(entry):
    """Scores of a text differ in the last bits with those that share its batch."""
    match entry:
        case dict():
            return {name: rounded(value) for name, value in entry.items()}
        case list():
            return [rounded(value) for value in entry]
        case float():
            return pytest.approx(entry, abs=1e-4)
        case _:
            return entry


def test_pairs_of_a_file(polyseme, tmp_path, some):  # noqa: F811
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write(given, [{"text": first, "claim": second} for first, second in PAIRS])
    assert polyseme("classify", "-i", str(given), "--second-from", "claim", "-o", str(out), *MOODS)[0] == 0
    assert [(entry["text"], entry["second"]) for entry in entries(out)] == PAIRS


def test_a_run_that_stopped_goes_on(polyseme, tmp_path, some):  # noqa: F811
    given, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    texts = [*TEXTS[:3] * 3, LONG, "the end"]
    given.write_text("".join(f"{text}\n" for text in texts))
    command = ("classify", "-i", str(given), "-o", str(out), *MOODS)
    code, _, err = polyseme(*command)
    assert code == 1
    assert "line 10 (row 9) has " in err
    assert "--on-error skip goes on without it" in err
    code, _, err = polyseme(*command, "--long-texts", "windows")
    assert code == 2
    assert "--long-texts was refuse, now windows" in err
    code, _, err = polyseme("entities", "-i", str(given), "-o", str(out), *TAGGER)
    assert "command was classify, now entities" in err
    code, _, err = polyseme(*command, "--on-error", "skip")
    assert code == 3
    assert f"{out}: going on at row 9\n" in err
    assert [(entry["row"], entry["text"]) for entry in entries(out)] == [
        (row, text) for row, text in enumerate(texts) if text != LONG
    ]
    (report,) = entries(tmp_path / "out.jsonl.errors.jsonl")
    assert (report["row"], report["line"], report["status"]) == (9, 10, "INVALID_ARGUMENT")
    assert report["message"].startswith("has ")


def test_killed_and_gone_on_with_has_every_row_once(server_of_heads, tmp_path):  # noqa: F811
    given, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    texts = [f"{number} bank" for number in range(1000)]
    given.write_text("".join(f"{text}\n" for text in texts))
    program = f"from polyseme.cli.bulk import predictions; predictions._RECORDS = 4; {PROGRAM}; sys.exit(main())"
    command = [sys.executable, "-c", program, "classify", "-i", str(given), "-o", str(out), *MOODS]
    command += ["--target", server_of_heads.target, "--timeout", "300"]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    kill_after(first, out, 100, 0)
    assert 100 <= rows_kept(out) < 1000
    last = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "going on at row" in last.stderr
    assert [(entry["row"], entry["text"]) for entry in entries(out)] == list(enumerate(texts))
    assert names(tmp_path) == ["in.txt", "out.jsonl"]


def test_what_cannot_be_sent_is_skipped(polyseme, tmp_path, some):  # noqa: F811
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text('{"text": "a"}\n{"text": 7}\n{"text": "\\ud800"}\n{"text": "b"}\n')
    assert polyseme("entities", "-i", str(given), "-o", str(out), "--on-error", "skip", *TAGGER)[0] == 3
    assert [entry["text"] for entry in entries(out)] == ["a", "b"]
    assert [(entry["row"], entry["message"]) for entry in entries(tmp_path / "out.jsonl.errors.jsonl")] == [
        (1, "field text is a number, not a string"),
        (2, "has a lone surrogate at position 0; it cannot be sent as UTF-8"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "out.npy"), "--output is out.npy; it must end in .jsonl"),
        (("-o", "nowhere/out.jsonl"), "there is no directory nowhere"),
        (("--restart",), "--restart is for --input FILE with -o OUT"),
    ],
)
def test_wrong_outputs_are_refused(polyseme, given, arguments, words):  # noqa: F811
    code, _, err = polyseme("classify", "-i", str(given), *arguments, *MOODS)
    assert (code, err.count("\n")) == (2, 1)
    assert words in err


def test_a_wrong_head_begins_nothing(polyseme, given, tmp_path):  # noqa: F811
    code, _, err = polyseme("classify", "-i", str(given), "-o", str(tmp_path / "out.jsonl"), "--head", "no", *MOODS)
    assert (code, names(tmp_path)) == (1, ["in.jsonl"])
    assert "head" in err


def test_texts_go_into_a_file_too(polyseme, tmp_path):  # noqa: F811
    out = tmp_path / "out.jsonl"
    assert polyseme("classify", "a", "b", "-o", str(out), *MOODS)[0] == 0
    assert [(entry["row"], entry["text"]) for entry in entries(out)] == [(0, "a"), (1, "b")]
    assert polyseme("classify", "a", "-o", str(out), *MOODS)[0] == 2
    assert polyseme("classify", "a", "-o", str(out), "--overwrite", *MOODS)[0] == 0
    assert len(entries(out)) == 1


def refuse(bad, make):
    """A `predict` that refuses lists with bad texts among them; `make` makes the error of an index."""

    def predict(client, records):
        asked.append(len(records))
        for index, record in enumerate(records):
            if record.text in bad:
                raise make(index)
        return [{"label": record.text} for record in records]

    asked = []
    return predict, asked


@pytest.mark.parametrize(
    "make",
    [
        lambda index: InvalidArgumentError(f"texts[{index}] has 9 tokens", field=f"texts[{index}]"),
        lambda index: InternalError("internal error 0123"),
    ],
    ids=["named", "not named"],
)
@pytest.mark.parametrize("bad", [set(), {"0"}, {"3", "4", "7"}, set(map(str, range(9)))])
def test_each_text_has_its_answer_or_its_refusal(server_of_heads, some, make, bad):  # noqa: F811
    predict, asked = refuse(bad, make)
    work = predictions.Prediction(decisive={}, own=(), predict=predict)
    records = [Record(str(number), number) for number in range(9)]
    with Client(server_of_heads.target, timeout=300) as client:
        rows = list(work.rows(client, client.model(), iter(records), first=5, skip=True))
        assert [row.position for row in rows] == list(range(5, 14))
        assert [row.record for row in rows] == records
        assert {row.record.text for row in rows if row.result is None} == bad
        assert all(row.result == {"label": row.record.text} for row in rows if row.result is not None)
        assert {row.problem for row in rows if row.result is None} <= {"has 9 tokens", "internal error 0123"}
        assert max(asked) == 4
        stopped = list(work.rows(client, client.model(), iter(records), first=0, skip=False))
        assert [row.result is None for row in stopped].index(True) == len(stopped) - 1 if bad else len(stopped) == 9


def test_a_server_that_fails_ends_the_run(server_of_heads, some):  # noqa: F811
    predict, _ = refuse({"5"}, lambda index: UnavailableError("gone"))
    work = predictions.Prediction(decisive={}, own=(), predict=predict)
    with Client(server_of_heads.target, timeout=300) as client:
        rows = work.rows(client, client.model(), (Record(str(n), n) for n in range(9)), first=0, skip=True)
        assert [row.record.text for row in islice(rows, 4)] == list("0123")
        with pytest.raises(UnavailableError):
            next(rows)


def test_texts_that_are_over_the_limit_are_not_sent(server_of_heads):  # noqa: F811
    predict, asked = refuse(set(), None)
    work = predictions.Prediction(decisive={}, own=(), predict=predict)
    with Client(server_of_heads.target, timeout=300) as client:
        limit = client.model().limits.max_text_bytes
        records = [Record("a" * (limit + 1), 1), Record("b", 2, second="é" * limit)]
        rows = list(work.rows(client, client.model(), iter(records), first=0, skip=True))
    assert [row.problem for row in rows] == [
        f"has {limit + 1} bytes; limit {limit}",
        f"has {2 * limit} bytes; limit {limit}",
    ]
    assert asked == []
