"""The report on a fitted head, as Markdown. Pure; it repeats no text, but the names of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from polyseme.export.fitting.curve import verdict
from polyseme.export.fitting.fit import Fitted

_MOST_CLASSES: Final = 20


def report(fitted: Fitted, source: str) -> str:
    """Write the report.

    Args:
        fitted: the head.
        source: the model's name and version.
    """
    return "\n".join(_lines(fitted, source)) + "\n"


def _lines(fitted: Fitted, source: str) -> Iterator[str]:
    best, now = fitted.choice.best, fitted.curve[-1]
    held_out = int(fitted.confusion.sum())
    yield f"# A head of {len(fitted.classes)} classes on {source}"
    yield ""
    yield (
        f"Accuracy {now.score:.3f} ± {now.error:.3f} on {held_out} rows that were held out: neither choice nor "
        f"training saw them. The head itself is trained on all {now.rows + held_out} rows. "
        f"The largest class alone would give {fitted.confusion.sum(axis=1).max() / held_out:.3f}."
    )
    yield ""
    yield verdict(fitted.curve)
    yield ""
    yield (
        f"Chosen: layer {best.layer}, {best.pooling.value} of its tokens, C {fitted.choice.penalty:g}, class weights "
        f"{fitted.class_weight}. Chances are divided by a temperature of {fitted.temperature:.2f}; they are off by "
        f"{fitted.calibration[1]:.3f} on the rows held out, and by {fitted.calibration[0]:.3f} without it."
    )
    yield "\n## By layer\n"
    yield "Five folds of the other rows, ± standard error. The best of so many is flattered a little.\n"
    yield from table(
        ("layer", "pooling", "accuracy"),
        [(str(one.layer), one.pooling.value, f"{one.accuracy:.3f} ± {one.error:.3f}") for one in fitted.choice.tried],
    )
    yield "\n## By number of rows\n"
    yield from table(
        ("rows", "accuracy on the rows held out"),
        [(str(point.rows), f"{point.score:.3f} ± {point.error:.3f}") for point in fitted.curve],
    )
    yield "\n![Accuracy by rows](curve.svg)"
    yield "\n## What is taken for what\n"
    if len(fitted.classes) <= _MOST_CLASSES:
        yield "Rows of the table: what it is. Columns: what it is taken for.\n"
        yield from table(
            ("", *map(cell, fitted.classes)),
            [(cell(name), *map(str, row)) for name, row in zip(fitted.classes, fitted.confusion, strict=True)],
        )
        yield ""
    yield "![What is taken for what](confusion.svg)"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write a table, line by line."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def cell(name: str) -> str:
    """Write a class on one line, without what begins a column or a link."""
    return "".join(each if each.isprintable() else "?" for each in name).translate(
        {ord(c): f"\\{c}" for c in "|[]<`\\"}
    )
