"""Habits of the code that no linter holds."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for root in ("runtime", "export", "server", "client", "gateway", "integrations", "cli")
    for path in sorted((ROOT / root).rglob("*.py"))
]
LIBRARY = [path for root in ("runtime", "export", "server") for path in sorted((ROOT / root).rglob("*.py"))]
LIBRARY += sorted((ROOT / "client/polyseme/client").glob("*.py"))
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


def _public(tree, hidden=False):
    """Functions whose docstrings are read by those who do not read their code."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _public(node, hidden or node.name.startswith("_"))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not hidden and not node.name.startswith("_"):
            overloads = any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)
            yield from () if overloads else (node,)


def _raised(node):
    """Names of the errors that a function itself raises, those of functions in it left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            yield getattr(child.exc.func, "id", getattr(child.exc.func, "attr", ""))
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _raised(child)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_docstrings_name_errors_and_the_shapes_of_arrays(path):
    wrong = []
    for node in _public(ast.parse(path.read_text(encoding="utf-8"))):
        text, types = ast.get_docstring(node) or "", ast.unparse(node.args) + ast.unparse(node.returns or node.args)
        errors = {name for name in _raised(node) if name.endswith("Error") and name != "AssertionError"}
        if errors and not re.search(r"Raises:|Raise |Refuse ", text):
            wrong.append(f"{node.name} raises {', '.join(sorted(errors))}")
        if re.search(r"NDArray|Array\b", types) and not re.search(r"\[[\w.]|shape", text):
            wrong.append(f"{node.name} has arrays of shapes that nobody tells")
    assert wrong == []


def _waits(tree):
    """Seconds that a test gives another thread, a process or a server."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = getattr(call.func, "attr", getattr(call.func, "id", ""))
        values = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
        if called in ("wait", "join", "wait_for", "result"):
            values += call.args[-1:]
        if called == "Timer":
            values += call.args[:1]
        yield from (value for value in values if isinstance(value, ast.Constant) and type(value.value) in (int, float))
    for arguments in (node for node in ast.walk(tree) if isinstance(node, ast.arguments)):
        names = [*arguments.posonlyargs, *arguments.args][::-1]
        for argument, default in zip(names, arguments.defaults[::-1], strict=False):
            if argument.arg == "seconds" and isinstance(default, ast.Constant):
                yield from [default] if type(default.value) in (int, float) else []


def _compares_clocks(tree):
    """Asserts that a clock has not gone on further than some seconds."""
    for test in (node for node in ast.walk(tree) if isinstance(node, ast.Assert)):
        for compared in (node for node in ast.walk(test) if isinstance(node, ast.Compare)):
            elapsed, limit, operator = compared.left, compared.comparators[0], compared.ops[0]
            constant = isinstance(limit, ast.Constant) and isinstance(operator, ast.Lt | ast.LtE)
            if constant and re.search(r"monotonic\(\)|perf_counter\(\)", ast.unparse(elapsed)):
                yield test


def test_no_test_asserts_that_something_took_few_seconds():
    """A busy machine takes any time. Lower bounds are fine."""
    found = [
        f"{path.relative_to(ROOT)}:{test.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for test in _compares_clocks(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_waits_of_tests_are_minutes_or_meant_to_end():
    """On a busy machine all takes long. What a test waits for in vain is seconds; what it waits for is minutes."""
    short = [
        f"{path.relative_to(ROOT)}:{wait.lineno}: {wait.value} s"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for wait in _waits(ast.parse(path.read_text(encoding="utf-8")))
        if 5 < wait.value < 200
    ]
    assert short == []


def _outside_functions(node):
    """Expressions that are computed when a file is imported, decorators among them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (part for decorator in child.decorator_list for part in ast.walk(decorator))
        else:
            yield child
            yield from _outside_functions(child)


def test_names_of_tests_hold_no_time():
    """Processes that run tests side by side must agree on their names; gzip writes the time into what it packs."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in _outside_functions(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "gzip.compress"
        if all(keyword.arg != "mtime" for keyword in node.keywords)
    ]
    assert found == []
