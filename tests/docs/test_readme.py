"""What the README shows runs as it stands."""

import re
import shlex
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
    assert PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_the_readme_run(program, server):
    names = {}
    exec(program.replace("localhost:50051", server.target), names)
    assert names["vector"].shape == (384,)
    assert names["vectors"].shape == (2, 384)
    assert names["scores"].shape == (1, 2)
    assert names["indices"].tolist() == [1]
    assert np.float32 == names["vector"].dtype
    assert "bank" in names["tokens"].tokens


def test_commands_of_the_readme_exist():
    shown = {shlex.split(line)[1] for line in README.splitlines() if line.startswith("polyseme ")}
    assert shown
    assert shown <= {command.NAME for command in COMMANDS}
