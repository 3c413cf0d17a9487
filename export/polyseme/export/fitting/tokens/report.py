"""The report on a fitted head that labels tokens, as Markdown. Pure; it repeats no text, but the names of labels."""

from __future__ import annotations

from collections.abc import Iterator

from polyseme.export.fitting.curve import verdict
from polyseme.export.fitting.report import cell, table
from polyseme.export.fitting.tokens.fit import FittedTokens
from polyseme.export.fitting.tokens.scores import Score


def report_of_tokens(fitted: FittedTokens, source: str) -> str:
    """Write the report.

    Args:
        fitted: the head.
        source: the model's name and version.
    """
    return "\n".join(_lines(fitted, source)) + "\n"


def _lines(fitted: FittedTokens, source: str) -> Iterator[str]:
    now = fitted.curve[-1]
    held_out, whole = len(now.effects), fitted.whole
    yield f"# A head of {len(fitted.by_label)} labels of spans on {source}"
    yield ""
    yield (
        f"F1 {whole.f1:.3f} ± {whole.error:.3f} on the {whole.spans} spans of {held_out} rows that were held out: "
        f"neither choice nor training saw them. The head itself is trained on all {now.rows + held_out} rows. "
        "A span is found where its start, its end and its label are."
    )
    if fitted.beyond:
        yield f"\n{fitted.beyond} spans are behind the end of what the model takes. They were left out."
    yield ""
    yield verdict(fitted.curve, "F1")
    yield ""
    yield (
        f"Chosen: layer {fitted.layer}, C {fitted.penalty:g}, class weights {fitted.class_weight}. Chances are divided "
        f"by a temperature of {fitted.temperature:.2f}; those of tokens are off by {fitted.calibration[1]:.3f} on the "
        f"rows held out, and by {fitted.calibration[0]:.3f} without it."
    )
    yield "\n## By label\n"
    yield "On the rows held out, ± standard error.\n"
    yield from table(
        ("label", "spans", "precision", "recall", "F1"),
        [_row(cell(label), score) for label, score in fitted.by_label.items()] + [_row("all", fitted.whole)],
    )
    yield "\n## By layer\n"
    yield "Five folds of the other rows, by text, ± standard error. The best of so many is flattered a little.\n"
    yield from table(
        ("layer", "F1"),
        [(str(one.layer), f"{one.score.f1:.3f} ± {one.score.error:.3f}") for one in fitted.tried],
    )
    yield "\n## By number of rows\n"
    yield from table(
        ("rows", "F1 on the rows held out"),
        [(str(point.rows), f"{point.score:.3f} ± {point.error:.3f}") for point in fitted.curve],
    )
    yield "\n![F1 by rows](curve.svg)"


def _row(name: str, score: Score) -> tuple[str, ...]:
    return (
        name,
        str(score.spans),
        f"{score.precision:.3f}",
        f"{score.recall:.3f}",
        f"{score.f1:.3f} ± {score.error:.3f}",
    )
