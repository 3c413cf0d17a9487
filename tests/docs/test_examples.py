"""The Python examples from the outside: their usage, and one line where nobody serves."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("name", "argument"), [("bank.py", "--target"), ("probe.py", "--target"), ("demo.py", "ARTIFACT")]
)
def test_help_names_the_arguments(name, argument):
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert argument in done.stdout


@pytest.mark.parametrize("name", ["bank.py", "probe.py"])
def test_no_server_is_one_line(name):
    done = run(name, "--target", "127.0.0.1:1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"{name.removesuffix('.py')}: 127.0.0.1:1: ")
