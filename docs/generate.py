"""Write docs/reference from the code: the SDK, the server's settings, its metrics, the status codes.

Usage: python docs/generate.py [DIRECTORY]
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc

from polyseme import client as sdk
from polyseme.client._transport.status import BY_CODE
from polyseme.server import errors
from polyseme.server.config import ServerConfig, variable_of
from polyseme.server.memory.budget import Budget
from polyseme.server.observe.calls import CallReport
from polyseme.server.observe.metrics import Metrics

REFERENCE: Final = Path(__file__).parent / "reference"
_SECTION: Final = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Source):$")
_NOTE: Final = "<!-- Written by `make docs` from the code; a test holds it to that. Edit the code. -->"


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    written = {"sdk.md": _sdk(), "settings.md": _settings(), "metrics.md": _metrics(), "statuses.md": _statuses()}
    return {name: f"{_NOTE}\n\n{text.strip()}\n" for name, text in written.items()}


def _settings() -> str:
    rows = []
    for field in dataclasses.fields(ServerConfig):
        setting = field.metadata["setting"]
        flag = f"`--{field.name.replace('_', '-')}`"
        allowed = _allowed(field.default, setting.least, setting.most, setting.choices)
        rows.append((flag, f"`{variable_of(field.name)}`", _default(field.default), allowed, setting.help))
    return f"""
# Settings of `polyseme serve`

A flag goes before the variable of the environment, that before the TOML file that `--config` names, and that before the
default. `--print-config` prints them all as such a file, with the source of each, and ends. 0 stands for "chosen for
the device" where the meaning says auto. What cannot be is refused at start, in one line, with exit status 2.

{_table(("flag", "environment", "default", "allowed", "meaning"), rows)}
"""


def _allowed(default: object, least: float, most: float, choices: Sequence[str]) -> str:
    if isinstance(default, bool):
        return "true, false"
    if choices:
        return ", ".join(choices)
    if isinstance(default, str):
        return "text"
    return f"{least:.10g} and more" if most == float("inf") else f"{least:.10g} to {most:.10g}"


def _default(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    return f"{value:.10g}"


def _metrics() -> str:
    metrics, rows = Metrics(), []
    metrics.call_done(CallReport(method="Embed", code="OK", seconds=0.0))  # labels show once there is a value
    metrics.watch_memory(Budget(), lambda: 0, lambda: 0)
    metrics.of_model("name", "version")
    for family in sorted(metrics.registry.collect(), key=lambda family: family.name):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = [label for label in family.samples[0].labels if label != "le"]
        rows.append((f"`{name}`", family.type, ", ".join(labels), family.documentation))
    return f"""
# Metrics

Prometheus reads them at `/metrics` of `--metrics-port`. A histogram `name` is published as `name_bucket`, `name_sum`
and `name_count`. No name or label holds a part of a text.

{_table(("name", "kind", "labels", "meaning"), rows)}
"""


def _statuses() -> str:
    ours: dict[str, list[type[errors.ServerError]]] = {}
    for error in _subclasses(errors.ServerError):
        ours.setdefault(error.status, []).append(error)
    rows = []
    for code in sorted(grpc.StatusCode, key=lambda code: int(code.value[0])):
        raised = BY_CODE.get(code)
        if code is not grpc.StatusCode.OK and (raised or code.name in ours):
            causes = [f"`{error.__name__}`: {_summary(error)}" for error in ours.get(code.name, [])]
            sdk_error = f"`{raised.__name__}`: {_summary(raised)}" if raised else ""
            rows.append((f"{code.value[0]}", code.name, "<br>".join(causes), sdk_error))
    return f"""
# Statuses and errors

The status that each error of the server becomes, and the error that the SDK makes of it; all other statuses are an
`InternalError` there. [status-codes.md](../status-codes.md) says what a caller does about each.

{_table(("number", "status", "the server's reasons", "the SDK raises"), rows)}
"""


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


def _sdk() -> str:
    shown = {name: getattr(sdk, name) for name in sdk.__all__}
    errors_ = {name: one for name, one in shown.items() if inspect.isclass(one) and issubclass(one, Exception)}
    classes = {name: one for name, one in shown.items() if inspect.isclass(one) and name not in errors_}
    aliases = {alias.name: alias for alias in _aliases() if alias.name in shown}
    first = ("Client", "AsyncClient")
    parts = [
        "# The SDK\n\n`from polyseme.client import ...`: every name, from its docstring. N: texts, D: dimensions.",
        "## Client\n\n" + _described(sdk.Client) + "".join(map(_method, _methods(sdk.Client))),
        "## AsyncClient\n\n" + _described(sdk.AsyncClient),
        "Methods as of `Client`: " + ", ".join(f"`{name}`" for name, _ in _methods(sdk.AsyncClient)) + ".",
        "## Values",
        *(_class(name, one) for name, one in sorted(classes.items()) if name not in first),
        "## Types",
        *(f"### {alias.name}\n\n```python\n{alias.value}\n```\n\n{alias.doc}" for _, alias in sorted(aliases.items())),
        "## Functions",
        *(_method((name, one)).strip() for name, one in sorted(shown.items()) if inspect.isfunction(one)),
        "## Errors\n\n```text\n" + _tree(sdk.PolysemeError) + "\n```",
        *(_class(name, one) for name, one in sorted(errors_.items())),
    ]
    return "\n\n".join(part.strip() for part in parts)


def _methods(kind: type[Any]) -> list[tuple[str, Callable[..., Any]]]:
    members = ((name, value) for name, value in vars(kind).items() if not name.startswith("_"))
    found = ((name, value.__func__ if isinstance(value, classmethod) else value) for name, value in members)
    return [(name, value) for name, value in found if inspect.isfunction(value)]


def _method(named: tuple[str, Callable[..., Any]]) -> str:
    name, function = named
    return f"\n\n### {name}\n\n```python\n{_signature(name, function)}\n```\n\n{_described(function)}"


def _signature(name: str, function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    arguments, star = [], False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            arguments.append("*")
            star = True
        prefix = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        typed = f"{prefix}{parameter.name}: {parameter.annotation}"
        arguments.append(typed if parameter.default is parameter.empty else f"{typed} = {parameter.default!r}")
    return f"{name}({', '.join(arguments)}) -> {signature.return_annotation}"


def _class(name: str, kind: type[Any]) -> str:
    types = {field: str(getattr(kind, "__annotations__", {}).get(field, "")) for field in kind.__annotations__}
    bases = [base.__name__ for base in getattr(kind, "__orig_bases__", ()) if base.__name__ in sdk.__all__]
    also = f"\n\nAnd those of `{bases[0]}`." if bases else ""
    return f"### {name}\n\n{_described(kind, types)}{also}"


def _described(thing: Any, types: Mapping[str, str] | None = None) -> str:  # noqa: ANN401  anything that has a docstring
    """A docstring as Markdown: its sections are lists."""
    parts, section = [], ""
    for block in inspect.getdoc(thing).split("\n\n") if inspect.getdoc(thing) else []:  # type: ignore[union-attr]
        lines = block.split("\n")
        found = _SECTION.fullmatch(lines[0])
        if found:
            section = found[1]
            text = " ".join(line.strip() for line in lines[1:])
            one = section in ("Returns", "Yields", "Source")
            parts.append(
                f"{section}: {text}" if one else f"{section}:\n\n" + "\n".join(_entries(lines[1:], types or {}))
            )
        elif section and block.startswith(" "):
            parts.append("\n".join(_entries(lines, types or {})))
        else:
            parts.append(block)
    return "\n\n".join(parts)


def _entries(lines: Iterable[str], types: Mapping[str, str]) -> Iterator[str]:
    """Each entry of a section on a line of its own; what goes on is indented deeper."""
    entries: list[str] = []
    for line in lines:
        if line.startswith("     ") and entries:
            entries[-1] += " " + line.strip()
        else:
            entries.append(line.strip())
    for entry in entries:
        name, colon, text = entry.partition(": ")
        if colon and re.fullmatch(r"\*{0,2}\w+(, \w+)*", name):
            kind = f" ({types[name]})" if types.get(name) else ""
            yield f"- `{name}`{kind}: {text}"
        else:
            yield f"- {entry}"


class _Alias(NamedTuple):
    name: str
    value: str
    doc: str


def _aliases() -> Iterator[_Alias]:
    """Aliases of types, each with the string after it."""
    for path in sorted(Path(sdk.__file__).parent.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for statement, after in pairwise(body):
            if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.annotation) == "TypeAlias":
                doc = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
                assert statement.value is not None
                yield _Alias(ast.unparse(statement.target), ast.unparse(statement.value), str(doc))


def _tree(kind: type[Any], depth: int = 0) -> str:
    lines = ["    " * depth + kind.__name__]
    lines += [_tree(one, depth + 1) for one in kind.__subclasses__() if one.__name__ in sdk.__all__]
    return "\n".join(lines)


def _summary(thing: type[Any]) -> str:
    return (inspect.getdoc(thing) or "").split("\n")[0].rstrip(".")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main(directory: Path = REFERENCE) -> int:
    """Write the pages."""
    directory.mkdir(exist_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
