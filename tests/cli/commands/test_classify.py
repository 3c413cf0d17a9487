import json

import numpy as np
import pytest
from tests.data.golden.make_heads import LONG, PAIRS, TEXTS

from polyseme.cli.commands.classify import _draw
from polyseme.cli.inputs.records import Record
from polyseme.client import Classification, Client, InputInfo

MODEL = ("--model", "bert-classification")


@pytest.fixture
def client(server_of_heads):
    with Client(server_of_heads.target, model="bert-classification", timeout=300) as opened:
        yield opened


def entries(out):
    return [json.loads(line) for line in out.splitlines()]


def scores_of(entry):
    return list(entry["scores"].values())


def test_each_text_is_a_line_with_the_scores_of_its_labels(polyseme, client):
    code, out, err = polyseme("classify", *TEXTS[:3], *MODEL)
    assert (code, err) == (0, "")
    found, want = entries(out), client.classify(TEXTS[:3])
    assert [entry["text"] for entry in found] == TEXTS[:3]
    assert [entry["label"] for entry in found] == [one.label for one in want]
    assert list(found[0]["scores"]) == ["negative", "neutral", "positive"]
    np.testing.assert_allclose([scores_of(entry) for entry in found], [one.scores for one in want], atol=1e-5)
    assert all(entry["score"] == max(scores_of(entry)) for entry in found)
    assert [(entry["tokens"], entry["truncated"], entry["windows"]) for entry in found] == [
        (one.info.tokens, False, 1) for one in want
    ]


def test_pairs_have_one_second_text_or_each_its_own(polyseme, client, tmp_path):
    first, second = zip(*PAIRS, strict=True)
    _, out, _ = polyseme("classify", *first, "--second", second[0], *MODEL)
    want = client.classify([(one, second[0]) for one in first])
    np.testing.assert_allclose([scores_of(entry) for entry in entries(out)], [one.scores for one in want], atol=1e-5)

    path = tmp_path / "pairs.jsonl"
    lines = [{"text": one, "claim": other, "id": row} for row, (one, other) in enumerate(PAIRS)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, out, _ = polyseme("classify", "--input", str(path), "--second-from", "claim", "--keep", "id", *MODEL)
    found, want = entries(out), client.classify(PAIRS)
    assert (code, [entry["second"] for entry in found]) == (0, list(second))
    assert [entry["id"] for entry in found] == list(range(len(PAIRS)))
    np.testing.assert_allclose([scores_of(entry) for entry in found], [one.scores for one in want], atol=1e-5)


def test_long_texts_run_in_windows(polyseme):
    _, out, _ = polyseme("classify", LONG, "--long-texts", "windows", "--overlap", "16", *MODEL)
    assert entries(out)[0]["windows"] > 1
    _, out, _ = polyseme("classify", LONG, "--long-texts", "longest_first", *MODEL)
    assert entries(out)[0]["truncated"] is True


def test_a_terminal_has_a_table(on_terminal):
    code, out, _ = on_terminal("classify", *TEXTS[:1], LONG, "\x1b[31m\u2028red", "--long-texts", "windows", *MODEL)
    assert code == 0
    assert all(heading in out for heading in ("text", "label", "score", "next", "tokens"))
    assert "windows)" in out
    assert "\x1b[31m" not in out.partition("red")[0].rpartition("\n")[2]
    assert "3 labels" in out
    assert out.count("the bank of new york") == 1
    _, out, _ = on_terminal("classify", *(str(row) for row in range(60)), *MODEL)
    assert "10 more texts not shown: --json" in out
    _, out, _ = on_terminal("classify", TEXTS[0], "--second", "[red]b", *MODEL)
    assert f"{TEXTS[0]} | [red]b" in out
    _, out, _ = on_terminal("classify", TEXTS[0], "--json", *MODEL)
    assert entries(out)[0]["text"] == TEXTS[0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a", "--model", "tiny"), 1, "tiny has no head that classifies texts"),
        (("a", "--head", "moods", *MODEL), 1, "head"),
        ((LONG, *MODEL), 1, "texts[0] has"),
        (("a", "--overlap", "3"), 2, "--overlap is for --long-texts windows"),
        (("a", "--second-from", "claim"), 2, "--second-from is for --input FILE or stdin"),
    ],
)
def test_what_is_wrong_is_one_line(polyseme, arguments, code, words):
    found, out, err = polyseme("classify", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("polyseme: error: ")
    assert words in err


def test_labels_of_a_server_move_no_cursor(capsys):
    labels = ("\x1b[2Jfine", "awful\r")
    info = InputInfo(tokens=3, original_tokens=3, truncated=False, windows=1)
    one = Classification(labels=labels, scores=np.array([0.7, 0.3], np.float32), info=info)
    _draw([Record("a text", 0)], [one], None)
    out = capsys.readouterr().out
    assert "\\x1b[2Jfine" in out
    assert "awful\\r" in out
    assert out.replace("\n", "").isprintable()
