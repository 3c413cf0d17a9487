"""Rewrite errors that count the texts of one call, so that they count the texts that the caller passed.

A server names the wrong field of its request (`error.field`), as in `texts[3]` or `inputs[2].words[0]`. An older server
names it in the message alone; there a regular expression finds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

from polyseme.client.errors import PolysemeError

_E = TypeVar("_E", bound=PolysemeError)
_MAX_FIELD_LENGTH: Final = 256
_STEP: Final = r"[A-Za-z_][A-Za-z0-9_]*(?:\[[0-9]{1,9}\])?"
_FIELD: Final = rf"{_STEP}(?:\.{_STEP})*"
_TEXT: Final = r"(?:texts|inputs|pairs|questions)\[([0-9]{1,9})\]"
_SPAN: Final = rf"{_TEXT}\.spans\[([0-9]{{1,9}})\]"
_TEXT_IN_MESSAGE: Final = rf"\b{_TEXT}((?:\.{_STEP})*)"


def checked_field(field: str) -> str | None:
    """Give the field that a server names; None: it is empty, or not spelled as a field."""
    return field if len(field) <= _MAX_FIELD_LENGTH and re.fullmatch(_FIELD, field) else None


def concerns_text(error: PolysemeError) -> bool:
    """Say whether a text can have caused the error of a call: the server names one, or no field at all."""
    return error.field is None or re.match(_TEXT, error.field) is not None


def rename_texts(error: _E, name: Callable[[int], str]) -> _E:
    """Rewrite, in place, text i of the call to name(i), in the message and in `field`."""
    if error.field is None:
        return _rename_by_message(error, name)
    found = re.match(_TEXT, error.field)
    if found is not None:
        renamed = name(int(found[1]))
        error.field = renamed + error.field[found.end() :]
        _set_message(error, re.sub(rf"\b{re.escape(found[0])}", lambda _: renamed, str(error)))
    return error


def rename_spans(error: _E, name: Callable[[int, int | None], str]) -> _E:
    """Rewrite, in place, span j of text i of the call to name(i, j), and text i to name(i, None)."""
    found = re.match(_SPAN, error.field or "")
    if found is None:
        return rename_texts(error, lambda index: name(index, None))
    renamed = name(int(found[1]), int(found[2]))
    error.field = renamed
    _set_message(error, re.sub(rf"\b{re.escape(found[0])}", lambda _: renamed, str(error)))
    return error


def shift_texts(error: _E, first: int, name: str = "texts") -> _E:
    """Rewrite the error of a call whose texts start at `first` of the caller's texts, which are called so."""
    return rename_texts(error, lambda index: f"{name}[{first + index}]")


def name_text(error: _E, index: int) -> _E:
    """Rewrite the error of a call that had this one text of the caller's; name it where the message does not."""
    name = f"texts[{index}]"
    rename_texts(error, lambda _: name)
    error.field = error.field or name
    if name not in str(error):
        start = f"{error.target}: " if error.target and str(error).startswith(f"{error.target}: ") else ""
        _set_message(error, f"{start}{name}: {str(error)[len(start) :]}")
    return error


def _rename_by_message(error: _E, name: Callable[[int], str]) -> _E:
    """Rewrite every `texts[i]` and `inputs[i]` of the message; the first one is the field."""
    found = re.search(_TEXT_IN_MESSAGE, str(error))
    if found is not None:
        error.field = name(int(found[1])) + found[2]
        _set_message(error, re.sub(_TEXT_IN_MESSAGE, lambda match: name(int(match[1])) + match[2], str(error)))
    return error


def _set_message(error: PolysemeError, message: str) -> None:
    error.args = (message, *error.args[1:])
