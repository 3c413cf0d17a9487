"""The command of docs/fit.md prints what the page shows, and its program runs against the artifact that it made."""

import re
import shlex
from pathlib import Path

from tests.docs.test_words_in_context import same
from tests.server.running import running

from polyseme.cli.main import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/fit.md").read_text(encoding="utf-8")
VERSION = re.compile(r"@[0-9a-f]{12}\b")


def test_the_command_prints_what_the_page_shows_and_the_program_runs(minilm_artifact, tmp_path, capsys, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "all-MiniLM-L6-v2").symlink_to(minilm_artifact)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    command, shown = re.search(r"```sh\n(polyseme fit .*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL).groups()
    program, shown_label = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL).groups()
    assert main(shlex.split(command)[1:]) == 0
    same(VERSION.sub("@", capsys.readouterr().out), VERSION.sub("@", shown))
    with running(tmp_path / "models/opinions") as server:
        exec(program.replace("localhost:50051", server.target), {})
    same(capsys.readouterr().out, shown_label)
