"""Check options that are yes or no, and options that are names."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from polyseme.client._arguments.texts import utf8_size
from polyseme.client.errors import InvalidArgumentError

_BOOLS: Final = (bool, np.bool_)


def flag(value: object, name: str) -> bool:
    """Convert an option that is yes or no; None is no.

    Raises:
        InvalidArgumentError: it is neither a bool nor None.
    """
    return bool(flag_or_none(value, name))


def flag_or_none(value: object, name: str) -> bool | None:
    """Convert an option that is yes, no or left to the model.

    Raises:
        InvalidArgumentError: it is neither a bool nor None.
    """
    if value is None:
        return None
    if isinstance(value, _BOOLS) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise InvalidArgumentError(f"{name} must be True or False, got {_shown(value)}", field=name)


def name_or_empty(value: Any, name: str) -> str:  # noqa: ANN401  any value is taken, and checked
    """Convert the name of a model, a prompt or a service; None is "".

    Raises:
        InvalidArgumentError: it is no str, or cannot be sent as UTF-8.
    """
    if value is None:
        return ""
    utf8_size(value, name)
    return str(value)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, int | float) else type(value).__name__
