"""docs/past-bugs.md and SECURITY.md name tests that are there."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POLICY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"`(pytest [^`]+)`", (ROOT / "docs/past-bugs.md").read_text(encoding="utf-8") + POLICY)


def names(path):
    files = [path] if path.is_file() else sorted(path.rglob("test_*.py"))
    return [name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)]


@pytest.mark.parametrize("command", COMMANDS)
def test_there_is_what_shows_it(command):
    _, *words = shlex.split(command)
    asked = words[words.index("-k") + 1].split(" or ") if "-k" in words else [""]
    paths = [ROOT / word for word in words if word.startswith("tests/")]
    there = [name for path in paths for name in names(path)]
    assert paths
    for part in asked:
        assert [name for name in there if part in name], part


def test_the_promises_of_the_policy_are_there():
    promises = (ROOT / "bench/reliability/promises.py").read_text(encoding="utf-8")
    known = set(re.findall(r'Promise\(\s*"([\w-]+)"', promises))
    lists = re.findall(r"promises? (\d[\w-]*(?:(?:, | to )\d[\w-]*)*)", POLICY)
    named = {number for numbers in lists for number in re.split(", | to ", numbers)}
    assert len(named) == 12
    assert named <= known
