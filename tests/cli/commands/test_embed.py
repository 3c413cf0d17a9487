import io
import json
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from tests.client.fake_server import DIMENSIONS, FakeServer, fake_server, vector_of

from polyseme.cli.main import main


@pytest.fixture
def server(monkeypatch) -> Iterator[FakeServer]:
    with fake_server() as fake:
        monkeypatch.setenv("POLYSEME_TARGET", fake.target)
        yield fake


def _stdin(monkeypatch, content: bytes, *, terminal: bool = False) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(content))
    stdin.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", stdin)


def _lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.removesuffix("\n").split("\n")]


def test_embed_prints_json_lines_where_stdout_is_no_terminal(server, capsys):
    assert main(["embed", "bank", "river"]) == 0
    lines = _lines(capsys)
    assert [(line["text"], line["tokens"], line["truncated"]) for line in lines] == [
        ("bank", 4, False),
        ("river", 5, False),
    ]
    vectors = np.array([line["embedding"] for line in lines], np.float32)
    assert np.array_equal(vectors, np.stack([vector_of("bank"), vector_of("river")]))


def test_embed_draws_a_table_on_a_terminal(server, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["embed", "[bold]bank\x1b[31m", "x" * 60]) == 0
    out = capsys.readouterr().out
    assert "[bold]bank [31m" in out
    assert "x" * 47 + "…" in out
    assert "12 dimensions; tiny 0123456789ab on CPUExecutionProvider" in out
    assert "16 (cut)" in out


def test_embed_reads_lines_of_stdin(server, capsys, monkeypatch):
    _stdin(monkeypatch, "één\r\n\ntwo\u2028parts\n".encode())
    assert main(["embed"]) == 0
    assert [line["text"] for line in _lines(capsys)] == ["één", "", "two\u2028parts"]


def test_embed_reads_json_lines_and_writes_npy(server, tmp_path):
    source, out = tmp_path / "texts.jsonl", tmp_path / "vectors.npy"
    source.write_text('{"text": "a\\nb", "id": 1}\n{"text": "c"}\n')
    assert main(["embed", "--input", str(source), "--output", str(out)]) == 0
    assert np.array_equal(np.load(out), np.stack([vector_of("a\nb"), vector_of("c")]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.jsonl", "vectors.npy"]


def test_embed_writes_json_lines(server, tmp_path):
    out = tmp_path / "vectors.jsonl"
    assert main(["embed", "é", "-o", str(out)]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["text"] == "é"


def test_embed_writes_binary_as_bytes(server, tmp_path):
    out = tmp_path / "vectors.npy"
    assert main(["embed", "a", "-o", str(out), "--dtype", "binary"]) == 0
    assert np.array_equal(np.unpackbits(np.load(out), axis=-1, count=DIMENSIONS)[0], vector_of("a") > 0)


def test_embed_passes_its_options_on(server, capsys):
    arguments = [
        "--no-normalize",
        "--dimensions",
        "4",
        "--truncate",
        "end",
        "--prompt-name",
        "query",
        "--model",
        "tiny",
    ]
    assert main(["embed", "a", *arguments]) == 0
    request = server.faults.requests[0]
    assert (request.HasField("normalize"), request.normalize, request.dimensions) == (True, False, 4)
    options = request.text_options
    assert (options.truncate, options.prompt_name, request.model.name) == (2, "query", "tiny")


def test_embed_sends_the_token_of_the_environment(server, monkeypatch, capsys):
    monkeypatch.setenv("POLYSEME_TOKEN", "s3cret")
    assert main(["embed", "a"]) == 0
    assert server.faults.metadata[0]["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--input", "x.txt"], "not both"),
        (["--input", "no/such/file.txt"], "cannot read no/such/file.txt: No such file or directory"),
        (["a", "-o", "out.csv"], "--output is out.csv; it must end in .npy, .parquet or .jsonl, or be -"),
        (["a", "-o", "no/such/out.npy"], "--output is no/such/out.npy; there is no directory no/such"),
        ([], "no texts: "),
    ],
)
def test_embed_refuses_a_wrong_command_line(arguments, message, monkeypatch, capsys):
    _stdin(monkeypatch, b"", terminal=True)
    assert main(["embed", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("polyseme: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"txt": "b"}\n', "line 2 has no field text; it has 1: txt"),
        ("a.jsonl", b"nonsense\n", "line 1 is not JSON: Expecting value at column 1"),
        ("a.jsonl", b'["a"]\n', "line 1 is an array, not an object"),
        ("a.txt", b"ab\xff\n", "is not UTF-8: byte 2"),
        ("a.txt", b"", "has no texts"),
    ],
)
def test_embed_refuses_a_wrong_file(name, content, message, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(content)
    assert main(["embed", "--input", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_embed_reports_what_the_sdk_refuses(server, tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "\\ud800"}\n')
    assert main(["embed", "--input", str(path)]) == 1
    assert capsys.readouterr().err.startswith("polyseme: error: texts[0] has a lone surrogate at position 0")


def test_embed_leaves_no_file_after_a_failure(server, tmp_path, monkeypatch, capsys):
    def full(file, array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    out = tmp_path / "vectors.npy"
    assert main(["embed", "a", "-o", str(out)]) == 1
    assert capsys.readouterr().err == f"polyseme: error: cannot write {out}: No space left on device\n"
    assert list(tmp_path.iterdir()) == []
