"""`make demo` shows what the README says, and says why where there is nothing to show."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from docs.blocks import blocks

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"\d\.\d\d\b")


def demo(artifact):
    command = [sys.executable, "examples/demo.py", str(artifact)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_server_that_dies_is_one_line_after_its_own(tmp_path):
    done = demo(tmp_path / "nothing")
    assert (done.returncode, done.stdout) == (1, "")
    own, last = done.stderr.splitlines()
    assert own.startswith("polyseme: error: ")
    assert last == "demo: the server ended with exit status 2; see above"


def test_the_demo_prints_what_the_readme_shows(minilm_artifact):
    done = demo(minilm_artifact)
    assert (done.returncode, done.stderr) == (0, "")
    printed = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    shown = [block.text for block in blocks(ROOT / "README.md") if block.language == "text"]
    assert len(shown) == 2
    for text in shown:
        before, found, _ = NUMBER.sub("#", printed).partition(NUMBER.sub("#", text))
        assert found
        figures = NUMBER.findall(printed)[before.count("#") :][: found.count("#")]
        # Rounding may fall otherwise on another processor: by one in the last place.
        assert np.array(figures, float) == pytest.approx(np.array(NUMBER.findall(text), float), abs=0.0101)
