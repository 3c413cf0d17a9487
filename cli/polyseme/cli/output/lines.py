"""Texts on one line, of characters that print alone."""

from __future__ import annotations

from typing import Final

_JOINERS: Final = "\u200c\u200d"  # Persian, Indic scripts and emoji are written with them


def abridge(text: str, width: int = 48) -> str:
    """Cut a text to one line of at most `width` characters; what cannot be printed becomes a space."""
    return one_line(text if len(text) <= width else text[: width - 1] + "…")


def one_line(text: str) -> str:
    """Replace characters that do not print by spaces: line ends, controls, marks of direction."""
    return "".join(character if character.isprintable() else " " for character in text)


def spell_out(text: str) -> str:
    r"""Spell characters out that do not print, as \n or \x1b: what is shown is one line, and moves no cursor."""
    return "".join(char if char.isprintable() or char in _JOINERS else ascii(char)[1:-1] for char in text)
