"""Declare how a word is looked for, and explain to a caller of the command line that it was not found."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final

from polyseme.cli.errors import CliError

if TYPE_CHECKING:
    from polyseme.client import InvalidArgumentError

_WORD_OF_TEXT: Final = re.compile(r"texts\[([0-9]+)\]\.words\[[0-9]+\]")  # the field of an error


def add_word_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--ignore-case", action="store_true", help="find the word in any case")
    parser.add_argument("--partial-word", action="store_true", help="find the word inside other words too")


def text_without_word(error: InvalidArgumentError) -> int | None:
    """Give the index of the text that lacks a word; None: the error is another."""
    place = _WORD_OF_TEXT.fullmatch(error.field or "")
    return int(place[1]) if place is not None and ": not found" in str(error) else None


def explained(error: InvalidArgumentError, unit: str) -> Exception:
    """Name the text that lacks the word, in words of the command line; leave other errors as they are.

    Args:
        error: the error of embed_words.
        unit: name of a text, as "sentence".
    """
    index = text_without_word(error)
    if index is None:
        return error
    hint = str(error).partition(": not found")[2]
    hint = re.sub(r"ignore_case|partial_word", lambda option: "--" + option[0].replace("_", "-"), hint)
    return CliError(f"{unit} {index + 1} has no such word{hint}")
