"""Check arguments that must be integers: an int, or one of numpy's."""

from __future__ import annotations

import operator
from typing import Any, Final

from polyseme.client.errors import InvalidArgumentError

_UINT32: Final = (1 << 32) - 1


def as_int(value: Any) -> int | None:  # noqa: ANN401  any value is taken, and checked
    """Convert a value to int; None: it is no integer. A bool is no integer."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def unsigned(value: object, name: str, least: int = 0) -> int:
    """Convert a value to an int that a uint32 field can hold.

    Raises:
        InvalidArgumentError: it is no integer, or outside `least` to 2^32 - 1.
    """
    number, field = as_int(value), name.replace(": ", ".")  # "words[0]: occurrence" in the message
    if number is None:
        got = type(value).__name__
        raise InvalidArgumentError(f"{name} must be an int, got {got}; {least} to {_UINT32} are valid", field=field)
    if not least <= number <= _UINT32:
        shown = number if abs(number) < 1 << 64 else "an int of more than 64 bits"
        raise InvalidArgumentError(f"{name} is {shown}; {least} to {_UINT32} are valid", field=field)
    return number
