"""polyseme serve until it serves: its settings, and what it says of them. tests/server/test_app.py has the process."""

import json
import os
import shutil
import subprocess
import sys
import tomllib

import pytest

from polyseme.cli.commands import serve
from polyseme.cli.main import main
from polyseme.client import Client

SHA = "0123456789abcdef0123456789abcdef01234567"


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
        ((), "nothing to serve: name a directory that `polyseme export` wrote, hf:ID or package:NAME"),
        (("x", "--config", "none.toml"), "cannot read none.toml: No such file or directory"),
        (("x", "--log-level", "loud"), "--log-level: got 'loud'; one of debug, info, warning, error"),
        (("--print-config", "--port", "x"), "--port: expected an integer, got 'x'"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, message, capsys):
    assert main(["serve", *arguments]) == 2
    assert capsys.readouterr().err == f"polyseme: error: {message}\n"


def test_a_source_without_its_kind_is_told_how_to_write_it(tmp_path):
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", "some_package", "--port", "0", "--metrics-port", "0"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert (run.returncode, run.stderr.splitlines()[-1]) == (
        2,
        "polyseme: error: some_package is not a directory: make an artifact with `polyseme export`; "
        "a model that is to be exported first: package:some_package or hf:some_package",
    )


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


def test_a_setting_that_cannot_be_had_is_one_line_before_an_export():
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", "hf:some/model", "--users-lock", "/none"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    message = "polyseme: error: --users-lock /none: No such file or directory\n"
    assert (run.returncode, run.stderr) == (2, message)


def test_sources_are_exported_and_served_side_by_side(tiny_checkpoint, tiny_artifact, tmp_path):
    snapshots = tmp_path / "home/hub/models--some--model"
    shutil.copytree(tiny_checkpoint, snapshots / f"snapshots/{SHA}")
    (snapshots / "refs").mkdir()
    (snapshots / "refs/main").write_text(SHA)
    shutil.copytree(tiny_checkpoint, tmp_path / "carrier/model")
    socket = f"unix:{tmp_path}/it.sock"
    sources = ["mine=hf:some/model", f"package:{tmp_path / 'carrier'}", str(tiny_artifact)]
    flags = ["--cache", str(tmp_path / "cache"), "--port", "0", "--metrics-port", "0", "--listen", socket]
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", *sources, *flags, "--reflection", "--max-texts", "7"]
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        with Client(socket) as client:
            client.wait_until_ready(300)
            models = client.models()
        assert [model.name for model in models] == ["mine", "carrier", "tiny"]
        assert models[0].limits.max_texts == 7
    finally:
        server.terminate()
        log = server.communicate(timeout=300)[1]
    assert server.returncode == 0, log
    assert f"some/model@{SHA[:12]} is from the hub's cache" in log
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize("source", ["./models", "../x/", "~/m", "models/", "MODEL=a/b", "a/b/c", "nö/m", "a\nb"])
def test_what_is_no_name_of_a_model_gets_no_hint_that_it_is_one(source):
    assert serve._hint([source]) == ""


def test_a_name_on_a_hub_is_not_said_to_be_a_package():
    assert serve._hint(["owner/na-me.v1"]) == "; a model that is to be exported first: hf:owner/na-me.v1"
