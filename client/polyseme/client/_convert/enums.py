"""Convert between protobuf's enums and the SDK's lower-case strings: DATA_TYPE_INT8 is "int8"."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from polyseme.client.errors import InvalidArgumentError

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper

_V = TypeVar("_V", bound=int)


def enum_value(enum: _EnumTypeWrapper[_V], prefix: str, option: str, name: object, *others: str) -> _V:
    """Find the enum's value for a name.

    Args:
        enum: of the contract.
        prefix: of its names.
        option: named in the error.
        name: as the caller gave it.
        *others: names that the option takes too, which the enum does not have.

    Raises:
        InvalidArgumentError: the enum has no such name; the message lists the valid ones.
    """
    valid = [key.removeprefix(prefix).lower() for key in enum.keys() if not key.endswith("_UNSPECIFIED")]  # noqa: SIM118
    if not isinstance(name, str) or name not in valid:
        got = repr(name) if isinstance(name, str | bool | int | None) else f"a {type(name).__name__}"
        shown = ", ".join((*valid, *others))
        raise InvalidArgumentError(f"{option} is {got}; valid: {shown}", field=option)
    return enum.Value(prefix + name.upper())


def enum_name(enum: _EnumTypeWrapper[_V], prefix: str, value: _V) -> str:
    """Give the name of an enum's value; its number, where only a newer server knows it."""
    try:
        return enum.Name(value).removeprefix(prefix).lower()
    except ValueError:
        return str(value)
