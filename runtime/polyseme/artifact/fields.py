"""Typed reading of untrusted JSON objects: every way to be wrong is one InvalidManifestError that names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, TypeVar

from polyseme.artifact.errors import InvalidManifestError

E = TypeVar("E", bound=Enum)
MAX_WIDTH: Final = 1 << 20  # the most that a size of a model may be
_PLAIN: Final = re.compile(r"[\w./-]{1,64}", re.ASCII)


class Fields:
    """One JSON object of a manifest, read field by field; `path` is its place in the manifest.

    Every method that reads a field raises InvalidManifestError where the field is missing or is not what it should be.
    """

    __slots__ = ("_path", "_values")

    def __init__(self, values: object, path: str) -> None:
        if not isinstance(values, dict):
            raise InvalidManifestError(f"manifest field {path}: expected an object, got {_kind(values)}")
        self._values: Mapping[str, Any] = values
        self._path = path

    def names(self) -> list[str]:
        """Give the names of the fields, in the order of the file."""
        return list(self._values)

    def object(self, name: str) -> Fields:
        """Read an object below this one."""
        return Fields(self._get(name), self._at(name))

    def objects(self, name: str, *, most: int) -> list[Fields]:
        """Read a list of objects.

        Raises:
            InvalidManifestError: it has more than `most`, or is no list of objects.
        """
        values = self._typed(name, list, "a list")
        if len(values) > most:
            raise InvalidManifestError(f"manifest field {self._at(name)}: {len(values)} entries; limit {most}")
        return [Fields(value, f"{self._at(name)}[{i}]") for i, value in enumerate(values)]

    def any_object(self, name: str) -> dict[str, Any]:
        """Read an object whose content is free: it is shown to people, never acted upon."""
        return dict(self._typed(name, dict, "an object"))

    def text(self, name: str, *, most: int = 1024) -> str:
        """Read one line: it is printed, so nothing in it may steer a terminal.

        Raises:
            InvalidManifestError: it has more than `most` characters, or some that cannot be printed.
        """
        value = self.prose(name, most=most)
        if not value.isprintable():
            raise InvalidManifestError(f"manifest field {self._at(name)} has characters that cannot be printed")
        return value

    def prose(self, name: str, *, most: int = 65536) -> str:
        """Read a string that may have line ends.

        Raises:
            InvalidManifestError: it has more than `most` characters, or half of a surrogate pair, which is no text.
        """
        value: str = self._typed(name, str, "a string")
        if len(value) > most:
            raise InvalidManifestError(f"manifest field {self._at(name)}: {len(value)} characters; limit {most}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidManifestError(f"manifest field {self._at(name)} has a lone surrogate")
        return value

    def lines(self, name: str, *, most: int) -> tuple[str, ...]:
        """Read a list of lines.

        Raises:
            InvalidManifestError: it has more than `most`, or one cannot be printed.
        """
        values = self._typed(name, list, "a list")
        if len(values) > most or not all(isinstance(value, str) and value.isprintable() for value in values):
            raise InvalidManifestError(f"manifest field {self._at(name)}: expected at most {most} lines")
        return tuple(values)

    def texts(self, name: str) -> dict[str, str]:
        """Read an object whose values are lines."""
        below = self.object(name)
        return {_printable(key): below.text(key) for key in below.names()}

    def proses(self, name: str) -> dict[str, str]:
        """Read an object whose values are texts of any form."""
        below = self.object(name)
        return {_printable(key): below.prose(key) for key in below.names()}

    def integer(self, name: str, *, least: int = 0, most: int) -> int:
        """Read an integer.

        Raises:
            InvalidManifestError: it lies outside of [least, most].
        """
        value: int = self._typed(name, int, "an integer")
        if not least <= value <= most:
            raise InvalidManifestError(
                f"manifest field {self._at(name)}: got {str(value)[:40]}; limits {least}..{most}"
            )
        return value

    def integers(self, name: str, *, most_entries: int, least: int = 1, most: int) -> tuple[int, ...]:
        """Read a list of integers.

        Raises:
            InvalidManifestError: it has more than `most_entries`, or one lies outside of [least, most].
        """
        values = self._typed(name, list, "a list")
        if len(values) > most_entries or not all(type(v) is int and least <= v <= most for v in values):
            raise InvalidManifestError(
                f"manifest field {self._at(name)}: expected at most {most_entries} integers within {least}..{most}"
            )
        return tuple(values)

    def number(self, name: str, *, least: float, most: float) -> float:
        """Read a number.

        Raises:
            InvalidManifestError: it lies outside of [least, most].
        """
        value = self._get(name)
        if type(value) not in (int, float) or not least <= value <= most:
            raise InvalidManifestError(f"manifest field {self._at(name)}: expected a number within {least}..{most}")
        return float(value)

    def boolean(self, name: str) -> bool:
        """Read true or false."""
        value: bool = self._typed(name, bool, "true or false")
        return value

    def choice(self, name: str, choices: type[E]) -> E:
        """Read a member of a closed set, by its value.

        Raises:
            InvalidManifestError: no member has this value.
        """
        value = self.text(name)
        try:
            return choices(value)
        except ValueError:
            known = ", ".join(str(member.value) for member in choices)
            raise InvalidManifestError(f"manifest field {self._at(name)}: got {value[:40]!r}; one of {known}") from None

    def sha256(self, name: str) -> str:
        """Read 64 lower-case hexadecimal digits.

        Raises:
            InvalidManifestError: it is something else.
        """
        value = self.text(name, most=64)
        if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            raise InvalidManifestError(f"manifest field {self._at(name)}: not a SHA-256 in hexadecimal")
        return value

    def _get(self, name: str) -> Any:  # noqa: ANN401
        try:
            return self._values[name]
        except KeyError:
            raise InvalidManifestError(f"manifest field {self._at(name)} is missing") from None

    def _typed(self, name: str, kind: type, words: str) -> Any:  # noqa: ANN401
        value = self._get(name)
        if type(value) is not kind:  # not isinstance: a bool is an int to Python
            raise InvalidManifestError(f"manifest field {self._at(name)}: expected {words}, got {_kind(value)}")
        return value

    def _at(self, name: str) -> str:
        shown = name if _PLAIN.fullmatch(name) else ascii(name)[:64]
        return f"{self._path}.{shown}" if self._path else shown


def _printable(key: str) -> str:
    if not key.isprintable():
        raise InvalidManifestError(f"manifest key {ascii(key)[:64]} has characters that cannot be printed")
    return key


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
