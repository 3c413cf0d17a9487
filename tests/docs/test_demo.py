"""`make demo`: what it shows is in the README; here, what it says when there is nothing to show."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def demo(artifact):
    command = [sys.executable, "examples/demo.py", str(artifact)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_server_that_dies_is_one_line_after_its_own(tmp_path):
    done = demo(tmp_path / "nothing")
    assert (done.returncode, done.stdout) == (1, "")
    own, last = done.stderr.splitlines()
    assert own.startswith("polyseme: error: ")
    assert last == "demo: the server ended with exit status 2; see above"


def test_the_demo_ends_well(minilm_artifact):
    done = demo(minilm_artifact)
    assert (done.returncode, done.stderr) == (0, "")
    assert "How alike are these sentences?" in done.stdout
