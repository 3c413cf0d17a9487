"""Every subcommand that takes texts reads them in every format, from a file and from stdin."""

import gzip
import io
import json
import sys

import pytest
from tests.client.fake_server import fake_server

from polyseme.cli.main import main

FILES = {
    "a.txt": b"a bank\nthe bank\n",
    "a.tsv": b"id\ttext\n1\ta bank\n2\tthe bank\n",
    "a.csv": b"id,text\n1,a bank\n2,the bank\n",
    "a.json": b'["a bank", "the bank"]',
    "a.jsonl": b'{"text": "a bank"}\n\n{"text": "the bank"}\n',
    "a.json.gz": gzip.compress(b'[{"text": "a bank"}, {"text": "the bank"}]', mtime=0),
}


@pytest.fixture
def server(monkeypatch):
    with fake_server() as it:
        monkeypatch.setenv("POLYSEME_TARGET", it.target)
        yield it


def texts_sent(server):
    return [text for request in server.faults.requests for text in getattr(request, "texts", [])]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_by_its_suffix(name, server, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert main(["embed", "--input", str(path)]) == 0
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == ["a bank", "the bank"]


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".gz")])
def test_stdin_is_read_by_its_format(name, server, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FILES[name])))
    kind = name.removeprefix("a.").replace("txt", "text")
    assert main(["embed", "--format", kind]) == 0
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == ["a bank", "the bank"]


def test_parquet_on_stdin(server, capsys, monkeypatch):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = io.BytesIO()
    parquet.write_table(pa.table({"id": [1, 2], "text": ["a bank", "the bank"]}), file)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.getvalue())))
    assert main(["embed", "--format", "parquet", "--keep", "id"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["id"], line["text"]) for line in lines] == [(1, "a bank"), (2, "the bank")]


def test_similarity_reads_tsv(server, tmp_path, capsys):
    path = tmp_path / "a.tsv"
    path.write_bytes(FILES["a.tsv"])
    main(["similarity", "--input", str(path)])
    [request] = server.faults.requests
    assert [operand.text for operand in (*request.a, *request.b)] == ["a bank", "the bank"]


@pytest.mark.parametrize("command", [["diff", "a", "b"], ["embed", "text"]], ids=lambda command: command[0])
def test_a_format_without_an_input_is_refused(command, capsys):
    assert main([*command, "--format", "csv"]) == 2
    assert "--format is for --input FILE or stdin" in capsys.readouterr().err


def test_an_entry_that_cannot_be_read_is_named(server, tmp_path, capsys):
    (tmp_path / "a.json").write_text('["a", 1]')
    assert main(["embed", "--input", str(tmp_path / "a.json")]) == 2
    assert capsys.readouterr().err.endswith("a.json entry 2 is a number, not a string or an object\n")
