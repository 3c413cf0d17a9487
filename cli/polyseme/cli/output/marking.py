"""Mark spans in texts on a terminal: in brackets, and in a colour for each label where there are colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from polyseme.cli.output.lines import spell_out

if TYPE_CHECKING:
    from rich.text import Text

_COLOURS: Final = ("cyan", "yellow", "green", "magenta", "blue", "red")


class Span(NamedTuple):
    """A part of a text to mark.

    Attributes:
        start: where it begins, in code points.
        end: where it ends, exclusive.
        label: what is written behind it.
    """

    start: int
    end: int
    label: str


def mark(text: str, spans: Sequence[Span], colours: dict[str, str]) -> Text:
    """Give the text on one line with its spans marked: `[Ann Smith PER] moved`.

    What does not print is spelled out. Of spans that overlap the first is marked.

    Args:
        text: the text.
        spans: in its order.
        colours: of labels, by `colours_of`.
    """
    from rich.text import Text

    marked, end = Text(), 0
    for span in spans:
        if span.start < end:
            continue
        marked.append(spell_out(text[end : span.start]))
        marked.append(f"[{spell_out(text[span.start : span.end])} {span.label}]", style=colours[span.label])
        end = span.end
    marked.append(spell_out(text[end:]))
    return marked


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Choose a colour for each label; more than six labels share them."""
    distinct = dict.fromkeys(labels)
    return {label: _COLOURS[index % len(_COLOURS)] for index, label in enumerate(distinct)}


def print_marked(lines: Sequence[Text]) -> None:
    """Print marked texts on stdout, for the terminal to wrap; without colours where NO_COLOR is set."""
    from rich.console import Console

    console = Console(highlight=False)
    for line in lines:
        console.print(line, soft_wrap=True)
