import json
import sys

import pytest
from tests.client.fake_server import fake_server

from polyseme.cli.main import main


@pytest.fixture
def server(monkeypatch):
    with fake_server() as it:
        monkeypatch.setenv("POLYSEME_TARGET", it.target)
        yield it


def test_tokens_are_an_object_for_each_text(server, capsys):
    assert main(["tokenize", "ab", "é"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["text"], first["tokens"], first["ids"]) == ("ab", ["[CLS]", "a", "b"], [101, 97, 98])
    assert (first["offsets"], first["special"]) == ([[0, 0], [0, 1], [1, 2]], [True, False, False])
    assert (first["word_ids"], second["text"], second["truncated"]) == ([None, 0, 1], "é", False)


def test_options_reach_the_server(server, capsys):
    options = ["--offset-unit", "utf8_byte", "--truncate", "end", "--without-special-tokens", "--model", "tiny"]
    assert main(["tokenize", "a", *options]) == 0
    [request] = server.faults.requests
    assert (request.offset_unit, request.text_options.truncate, request.model.name) == (2, 2, "tiny")
    assert request.text_options.add_special_tokens is False


def test_columns_are_kept(server, tmp_path, capsys):
    (tmp_path / "in.tsv").write_text("id\ttext\nx\ta\n")
    assert main(["tokenize", "--input", str(tmp_path / "in.tsv"), "--keep", "id"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "x"


def test_a_terminal_has_a_table(server, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["tokenize", "ab", "c"]) == 0
    out = capsys.readouterr().out
    assert "[CLS]" in out
    assert "ab: 3 tokens, and 1 more" in out
    assert main(["tokenize", "ab", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "ab"
