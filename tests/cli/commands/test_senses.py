"""polyseme senses: the table, the refusals, the files; the pictures are in tests/cli/senses/picture."""

import json
import re
import sys

import numpy as np
import pytest
from tests.server.running import running

from polyseme.cli.main import main

MONEY, WATER = "I deposited the check at the bank.", "We sat on the bank of the river."
ROBBER = "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."
NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


@pytest.fixture
def senses_of(server, capsys):
    def call(*arguments, target=server.target):
        code = main(["senses", *arguments, "--target", target])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_the_matrix_of_the_lesson(senses_of):
    code, out, _ = senses_of("bank", MONEY, WATER, ROBBER)
    assert code == 0
    rows = [line for line in out.splitlines() if re.match(r"\| \d", line)]
    assert "I deposited the check at the [bank]." in rows[0]
    assert "1.0000 | 0.7476" in rows[0]
    assert "0.9641 | 1.0000 | 0.9325" in rows[3]
    assert re.search(r"\| static +\| 1.0000 \| 1.0000 \| 1.0000 \|", out)


def test_the_sum_of_the_last_four_layers(senses_of):
    _, out, _ = senses_of("bank", ROBBER, "--layer", "sum4")
    assert "0.9406 | 1.0000 | 0.8887" in out


@pytest.mark.parametrize(("layer", "same"), [("6", "last"), ("-1", "last"), ("-7", "0")])
def test_layers_count_from_both_ends(senses_of, layer, same):
    found = [json.loads(senses_of("bank", MONEY, WATER, "--json", "--layer", each)[1]) for each in (layer, same)]
    assert found[0]["matrix"] == found[1]["matrix"]
    assert found[0]["shown"] == found[1]["shown"]


def test_json_has_everything(senses_of):
    code, out, _ = senses_of("bank", MONEY, WATER, "--json", "--layer", "static")
    found = json.loads(out)
    assert code == 0
    assert found["layers"] == ["static", "0", "1", "2", "3", "4", "5", "6"]
    assert np.array(found["cosines"]).shape == (8, 2, 2)
    assert found["matrix"] == [[1, 1], [1, 1]]
    place = {"sentence": 1, "start": 14, "end": 18}
    text = {"before": "We sat on the ", "word": "bank", "after": " of the river."}
    assert found["occurrences"][1] == place | text


def test_a_pipe_gets_the_whole_matrix(senses_of):
    _, out, _ = senses_of("bank", *[f"{WATER} {number}" for number in range(14)])
    assert re.match(r"\| +\| cosines at layer 6 .* 13 \| +14 \|", out)


def test_a_terminal_gets_no_more_columns_than_fit(senses_of, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = senses_of("bank", *[f"{WATER} {number}" for number in range(14)])
    assert "the 14 x 14 cosines: --json, -o FILE, or through a pipe" in out
    assert "cosines at" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("bank", MONEY, "nothing here"), 1, "sentence 2 has no such word"),
        (("BANK", MONEY), 1, "sentence 1 has no such word in this case; --ignore-case finds it"),
        (("bank", MONEY, "--layer", "9"), 2, "--layer 9: the model has last, static, sum4, or -7..6"),
        (("bank", *["bank " * 61] * 2, "-o", "x.png"), 1, "-o x.png: 122 occurrences; a picture has room for 120"),
    ],
)
def test_refusals_are_one_line(senses_of, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    got, out, err = senses_of(*arguments)
    assert (got, out) == (code, "")
    assert err == f"polyseme: error: {message}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bank", MONEY, "--layer", "x"), "--layer x: last, static, sum4, or a number"),
        ((" ", MONEY), "WORD is empty"),
        (("bank", MONEY, "-o", "x.pdf"), "-o x.pdf: a picture is .png, .svg, .html"),
        (("bank", MONEY, "-o", "no/such/x.png"), "-o no/such/x.png: there is no folder no/such"),
    ],
)
def test_a_wrong_command_line_is_refused_before_the_server_is_called(senses_of, arguments, message):
    assert senses_of(*arguments, target=NOBODY) == (2, "", f"polyseme: error: {message}\n")


def test_a_picture_without_matplotlib_is_refused_before_the_server_is_called(senses_of, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = "polyseme senses needs matplotlib: pip install 'polyseme[plot]'\n"
    assert senses_of("bank", MONEY, "-o", str(tmp_path / "x.png"), target=NOBODY) == (2, "", line)


def test_a_table_needs_no_matplotlib(senses_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert senses_of("bank", MONEY, WATER)[0] == 0


def test_case_can_be_ignored(senses_of):
    assert senses_of("BANK", MONEY, "--ignore-case")[0] == 0


def test_a_word_can_be_found_inside_another(senses_of):
    assert "river[bank]" in senses_of("bank", "The riverbank.", "--partial-word")[1]


def test_sentences_of_a_file_with_a_byte_order_mark(senses_of, tmp_path):
    (tmp_path / "sentences.txt").write_bytes(b"\xef\xbb\xbfbank one\nbank two\n")
    out = json.loads(senses_of("bank", "-i", str(tmp_path / "sentences.txt"), "--json")[1])
    assert [each["start"] for each in out["occurrences"]] == [0, 0]


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("html", b"<!doctype html>"), ("PNG", b"\x89PNG")]
)
def test_a_picture_is_written(senses_of, tmp_path, ending, start):
    path = tmp_path / f"x.{ending}"
    assert senses_of("bank", MONEY, WATER, "-o", str(path))[0] == 0
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_the_picture_is_drawn_before_the_table_is_printed(senses_of, tmp_path):
    """A reader that takes only the head of the table must not cost the picture."""
    target = tmp_path / "x.png"
    target.mkdir()
    code, out, err = senses_of("bank", MONEY, "-o", str(target))
    assert (code, out) == (1, "")
    assert err.startswith(f"polyseme: error: cannot write {target}: ")
