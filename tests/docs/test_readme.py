"""What the README shows runs as it stands."""

import re
import shlex
import tempfile
from pathlib import Path

import numpy as np
import pytest
from tests.server.running import running

from polyseme.cli.main import COMMANDS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


def test_the_readme_has_programs():
    assert len(PROGRAMS) == 3


def run(program, server):
    names = {}
    exec(program.replace("localhost:50051", server.target), names)
    return names


def test_the_first_program_needs_no_server(minilm_artifact, monkeypatch, capsys):
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        exec(PROGRAMS[0].replace("models/all-MiniLM-L6-v2", str(minilm_artifact)), {})
    assert float(capsys.readouterr().out) == pytest.approx(0.75, abs=0.005)


def test_the_second_program_embeds_texts(server):
    names = run(PROGRAMS[1], server)
    assert names["vector"].shape == (384,)
    assert names["vectors"].shape == (2, 384)
    assert names["scores"].shape == (1, 2)
    assert names["indices"].tolist() == [1]
    assert np.float32 == names["vector"].dtype
    assert "bank" in names["tokens"].tokens


def test_the_third_program_embeds_words(server):
    names = run(PROGRAMS[2], server)
    assert names["bank"].shape == (1, 384)
    assert (len(names["words"].words), names["words"].vectors.shape) == (8, (8, 384))
    assert names["part"].words == ("bank",)
    assert names["close"] == pytest.approx(0.75, abs=0.005)
    assert names["same"] == pytest.approx(1, abs=1e-6)
    assert names["indices"].tolist() == [0, 1]
    assert names["layers"].vectors.shape == (3, 9, 384)
    assert names["vector"].shape == (384,)


def test_commands_of_the_readme_exist():
    shown = {shlex.split(line)[1] for line in README.splitlines() if line.startswith("polyseme ")}
    assert shown
    assert shown <= set(COMMANDS)
