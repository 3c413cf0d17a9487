"""A server counts the texts of one call; the caller counts those that he passed. Errors speak to the caller."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from polyseme.client.errors import PolysemeError

_E = TypeVar("_E", bound=PolysemeError)
_INDEX: Final = re.compile(r"\b(?:texts|inputs)\[([0-9]{1,9})\]")


def rename_texts(error: _E, name: Callable[[int], str]) -> _E:
    """Rewrite, in place, every `texts[i]` and `inputs[i]` of the message to name(i)."""
    error.args = (_INDEX.sub(lambda match: name(int(match[1])), str(error)), *error.args[1:])
    return error


def shift_texts(error: _E, first: int) -> _E:
    """Rewrite the error of a call whose texts start at `first` of the caller's texts."""
    return rename_texts(error, lambda index: f"texts[{first + index}]")


def name_text(error: _E, index: int) -> _E:
    """Rewrite the error of a call that had this one text of the caller's; name it where the message does not."""
    if _INDEX.search(str(error)) is None:
        start = f"{error.target}: " if error.target and str(error).startswith(f"{error.target}: ") else ""
        error.args = (f"{start}texts[{index}]: {str(error)[len(start) :]}", *error.args[1:])
        return error
    return rename_texts(error, lambda _: f"texts[{index}]")
