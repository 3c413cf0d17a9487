"""Read texts from JSON: an object a line, or one array of texts or objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.content import Content
from polyseme.cli.inputs.lines import records_of_lines
from polyseme.cli.inputs.records import Record, listed

_KINDS: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
_DECODER: Final = json.JSONDecoder(parse_constant=lambda _: None)  # NaN and the infinities, which are no JSON


def json_line_records(content: Content, field: str, keep: Sequence[str] = ()) -> Iterator[Record]:
    """Read one object a line, whose `field` is the text; skip blank lines."""

    def parse(line: str, number: int) -> Record | None:
        if not line.strip():
            return None
        try:
            entry = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            return Record("", number, _no_json(error))
        if not isinstance(entry, dict):
            return Record("", number, f"is {_KINDS[type(entry)]}, not an object")
        return _record(entry, number, field, keep)

    return records_of_lines(content, parse)


def json_array_records(content: Content, field: str, keep: Sequence[str] = ()) -> list[Record]:
    """Read one array of texts, or of objects whose `field` is the text. The whole array is in memory.

    Raises:
        CliError: it is no such array.
    """
    content.file.seek(0)
    try:
        entries = _DECODER.decode(content.file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CliError(f"{content.name} is not UTF-8: byte {error.start}", 2) from None
    except (ValueError, RecursionError) as error:
        hint = "; --format jsonl reads an object a line" if str(error).startswith("Extra data") else ""
        raise CliError(f"{content.name} {_no_json(error)}{hint}", 2) from None
    if not isinstance(entries, list):
        raise CliError(f"{content.name} is {_KINDS[type(entries)]}, not an array of texts or objects", 2)
    return [_entry(entry, number, field, keep) for number, entry in enumerate(entries, 1)]


def _entry(entry: Any, number: int, field: str, keep: Sequence[str]) -> Record:  # noqa: ANN401  any JSON
    if isinstance(entry, str) and not keep:
        return Record(entry, number)
    if isinstance(entry, dict):
        return _record(entry, number, field, keep)
    wanted = "an object" if keep else "a string or an object"
    return Record("", number, f"is {_KINDS[type(entry)]}, not {wanted}")


def _record(entry: dict[str, Any], number: int, field: str, keep: Sequence[str]) -> Record:
    for name in (field, *keep):
        if name not in entry:
            return Record("", number, f"has no field {name}; it has {listed(list(entry))}")
    text = entry[field]
    if not isinstance(text, str):
        return Record("", number, f"field {field} is {_KINDS[type(text)]}, not a string")
    kept = tuple(entry[name] for name in keep)
    try:
        json.dumps(kept, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Record("", number, "has a lone surrogate in a field to keep; it cannot be written as UTF-8")
    return Record(text, number, kept=kept)


def _no_json(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        place = f"line {error.lineno} column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        return f"is not JSON: {error.msg.removesuffix(' at')} at {place}"
    return "is not JSON that can be read: nested too deeply, or a number too long"
