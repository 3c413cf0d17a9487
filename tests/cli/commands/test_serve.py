"""polyseme serve until it serves: its settings, and what it says of them. tests/server/test_app.py has the process."""

import json
import subprocess
import sys
import tomllib

import pytest

from polyseme.cli.main import main


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "polyseme.toml"
    path.write_text('max_texts = 512\nmax_spans = 7\nlog_level = "WARNING"\n')
    return path


def test_flags_go_before_variables_and_these_before_the_file(settings, monkeypatch, capsys):
    monkeypatch.setenv("POLYSEME_MAX_SPANS", "8")
    assert main(["serve", "--config", str(settings), "--print-config", "--port", "1", "--reflection"]) == 0
    printed = capsys.readouterr().out
    assert "port = 1  # --port\n" in printed
    assert "max_spans = 8  # POLYSEME_MAX_SPANS\n" in printed
    assert f"max_texts = 512  # {settings}: max_texts\n" in printed
    assert "max_text_bytes = 262144\n" in printed
    found = tomllib.loads(printed)
    assert (found["log_level"], found["reflection"]) == ("warning", True)


def test_the_variable_names_the_file_too(settings, monkeypatch, capsys):
    monkeypatch.setenv("POLYSEME_CONFIG", str(settings))
    assert main(["serve", "--print-config"]) == 0
    assert "max_texts = 512" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no DIR to serve: a directory that `polyseme export` wrote"),
        (("x", "--config", "none.toml"), "cannot read none.toml: No such file or directory"),
        (("x", "--log-level", "loud"), "--log-level: got 'loud'; one of debug, info, warning, error"),
        (("--print-config", "--port", "x"), "--port: expected an integer, got 'x'"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, message, capsys):
    assert main(["serve", *arguments]) == 2
    assert capsys.readouterr().err == f"polyseme: error: {message}\n"


def test_variables_that_nothing_reads_are_one_line_of_the_log(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYSEME_MAX_BATCH_TOKEN", "1")
    monkeypatch.setenv("POLYSEME_PORTS", "1")
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", str(tmp_path / "none"), "--log-format", "JSON"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    first, *_ = run.stderr.splitlines()
    assert run.returncode == 2
    assert (json.loads(first)["level"], json.loads(first)["message"]) == (
        "warning",
        "POLYSEME_MAX_BATCH_TOKEN is not read; POLYSEME_MAX_BATCH_TOKENS is; "
        "POLYSEME_PORTS is not read; POLYSEME_PORT is",
    )
