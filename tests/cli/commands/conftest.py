import sys

import pytest
from tests.export.encoders.architectures.test_heads import FP32, checkpoint
from tests.server.running import running

from polyseme.cli.main import main
from polyseme.export import export_model

HEADS = ("bert-classification", "bert-token_classification", "bert-question_answering", "cross-identity")


@pytest.fixture(scope="session")
def server_of_heads(tmp_path_factory, tiny_artifact):
    """A server of tiny models with a head each; the first is the one that classifies, the last has none."""
    folder = tmp_path_factory.mktemp("heads")
    for name in HEADS:
        export_model(str(checkpoint(name, folder)), folder / "out" / name, FP32)
    with running(*(folder / "out" / name for name in HEADS), tiny_artifact) as it:
        yield it


@pytest.fixture
def polyseme(server_of_heads, capsys):
    """Run a subcommand against that server; give exit code, stdout, stderr."""

    def run(*arguments):
        code = main([*arguments, "--target", server_of_heads.target, "--timeout", "300"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def on_terminal(polyseme, monkeypatch):
    """Run a subcommand whose stdout is a terminal of 160 columns that shows colours."""

    def run(*arguments):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        return polyseme(*arguments)

    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return run
