"""Habits of the code that no linter holds."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for root in ("client", "cli") for path in sorted((ROOT / root).rglob("*.py"))]
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


def _names(target):
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_constants_of_modules_are_final(path):
    bare = []
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign):
            bare += [name for target in statement.targets for name in _names(target)]
        elif isinstance(statement, ast.AnnAssign) and not ast.unparse(statement.annotation).startswith("Final"):
            bare += _names(statement.target)
    assert [name for name in bare if CONSTANT.fullmatch(name) and len(name.strip("_")) > 1] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_begin_with_the_thing_or_a_verb(path):
    """Of constants too, whose docstring is a string after them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    questions = ("What", "Which", "Whether", "How", "Where")
    assert [text.split("\n")[0] for text in texts if text.lstrip().startswith(questions)] == []


def _waits(tree):
    """Seconds that a test gives another thread, a process or a server."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = getattr(call.func, "attr", getattr(call.func, "id", ""))
        values = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
        if called in ("wait", "join", "wait_for"):
            values += call.args[-1:]
        yield from (value for value in values if isinstance(value, ast.Constant) and type(value.value) in (int, float))


def test_waits_of_tests_are_minutes_or_meant_to_end():
    """On a busy machine all takes long. What a test waits for in vain is seconds; what it waits for is minutes."""
    short = [
        f"{path.relative_to(ROOT)}:{wait.lineno}: {wait.value} s"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for wait in _waits(ast.parse(path.read_text(encoding="utf-8")))
        if 5 < wait.value < 120
    ]
    assert short == []
