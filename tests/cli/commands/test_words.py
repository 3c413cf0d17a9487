import json
import sys

import numpy as np
import pytest
from tests.server.running import running

from polyseme.cli.main import main
from polyseme.client import Client

MONEY, WATER, CAPITAL = "I deposited the check at the bank.", "We sat on the bank of the river.", "The Bank, a bank."


@pytest.fixture(scope="module")
def server(tiny_artifact):
    with running(tiny_artifact) as it:
        yield it


@pytest.fixture
def words(server, capsys):
    def call(*arguments):
        code = main(["words", *arguments, "--target", server.target])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def entries(out):
    return [json.loads(line) for line in out.splitlines()]


def test_every_word_is_a_line(words, server):
    code, out, err = words(MONEY, WATER)
    assert (code, err) == (0, "")
    with Client(server.target) as client:
        expected = client.embed_words([MONEY, WATER])
    found = entries(out)
    assert [(each["row"], each["word"]) for each in found] == [
        (row, word) for row, each in enumerate(expected) for word in each.words
    ]
    assert [(each["start"], each["end"]) for each in found] == [span for each in expected for span in each.spans]
    vectors = np.concatenate([each.vectors for each in expected])
    assert np.allclose([each["embedding"] for each in found], vectors, atol=1e-5)  # batches differ


def test_a_word_where_it_occurs(words):
    _, out, _ = words(CAPITAL, WATER, "-w", "bank", "--ignore-case")
    assert [(each["row"], each["word"], each["occurrence"]) for each in entries(out)] == [
        (0, "Bank", 1),
        (0, "bank", 2),
        (1, "bank", 1),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MONEY, "no", "-w", "bank"), "text 2 has no such word"),
        (("The Bank", "-w", "bank"), "text 1 has no such word in this case; --ignore-case finds it"),
        (("riverbank", "-w", "bank"), "text 1 has no such word as a whole word; --partial-word finds it"),
        (("riverbank", "-w", "bank", "--skip-missing"), "no text has such a word"),
        (("...",), "the texts have no words"),
    ],
)
def test_a_word_that_is_not_there_is_one_line(words, arguments, message):
    assert words(*arguments) == (1, "", f"polyseme: error: {message}\n")


def test_texts_without_the_word_can_be_left_out(words):
    texts = ["no", "riverbank", *[MONEY, "embankment"] * 70, "A BANK"]
    _, out, _ = words(*texts, "-w", "bank", "--skip-missing")
    assert [each["row"] for each in entries(out)] == list(range(2, 142, 2))
    _, out, _ = words(*texts, "-w", "bank", "--skip-missing", "--ignore-case")
    assert entries(out)[-1]["row"] == 142


def test_layers_are_kept_apart_or_joined(words, server, tmp_path):
    path = tmp_path / "out.npy"
    assert words(MONEY, WATER, "-w", "bank", "--layers=static,-2,-1", "--combine", "none", "-o", str(path))[0] == 0
    with Client(server.target) as client:
        found = client.embed_words([MONEY, WATER], words="bank", layers=("static", -2, -1), combine="none")
    assert np.load(path).shape == (3, 2, 32)
    assert np.allclose(np.load(path), np.concatenate([each.vectors for each in found], axis=1), atol=1e-5)


def test_columns_are_kept(words, tmp_path):
    given, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    given.write_text(f'id,text\nx,"{MONEY}"\ny,none\nz,"{CAPITAL}"\n')
    options = ("-w", "bank", "--skip-missing", "--keep", "id", "-o", str(out))
    assert words("--input", str(given), *options)[0] == 0
    assert [(each["row"], each["id"]) for each in entries(out.read_text())] == [(0, "x"), (2, "z")]
    assert (
        words("--input", str(given), *options)[2] == f"polyseme: error: {out} exists; use --overwrite to replace it\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MONEY, "--skip-missing"), "--skip-missing needs --word"),
        ((MONEY, "-o", "x.parquet"), "--output is x.parquet; it must end in .npy or .jsonl, or be -"),
        (("--keep", "id", "-o", "x.npy"), "--keep is for .jsonl; an array has no columns"),
        ((MONEY, "--layers", "3,static"), "layers[1] is 'static'; it is valid as the first entry alone, once"),
    ],
)
def test_a_wrong_command_line_is_one_line(words, arguments, message):
    code, out, err = words(*arguments)
    assert (code in (1, 2), out, err) == (True, "", f"polyseme: error: {message}\n")


def test_a_terminal_has_a_table(words, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    out = words("We sat.")[1]
    assert [line.split()[:3] for line in out.splitlines() if line.split()[:1] == ["0"]][:2] == [
        ["0", "We", "0-2"],
        ["0", "sat", "3-6"],
    ]
    assert "32 dimensions" in out
