"""polyseme classify: give texts, or pairs of texts, their labels."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.arguments.connection import add_client_arguments
from polyseme.cli.arguments.predictions import add_prediction_arguments
from polyseme.cli.arguments.texts import add_source_arguments
from polyseme.cli.bulk.arguments import add_lines_arguments
from polyseme.cli.output.lines import abridge, spell_out
from polyseme.cli.output.table import print_table
from polyseme.cli.predictions import LinePredictions, info_fields, predict, tokens_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.cli.inputs.records import Record
    from polyseme.client import Classification, Client
    from polyseme.client.options import PredictionOptions

EXTRA: Final = "cli"

_OWN_FIELDS: Final = ("row", "text", "second", "label", "score", "scores", "tokens", "truncated", "windows")
_TABLE_ROWS: Final = 50
_NEXT: Final = 2  # labels after the first that a table shows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser)
    second = parser.add_mutually_exclusive_group()
    second.add_argument("--second", metavar="TEXT", help="second text of a pair with each text")
    second.add_argument(
        "--second-from", metavar="NAME", help="column or field of the input that holds the second text of each pair"
    )
    add_client_arguments(parser)
    add_prediction_arguments(parser)
    add_lines_arguments(parser, "classifies")


def run(args: argparse.Namespace) -> int:
    """Print the labels: a table on a terminal, else an object for each text; bulk/ does it from file to file."""

    def ask(client: Client, records: Sequence[Record], options: PredictionOptions) -> list[Classification]:
        return client.classify(_inputs(records, args.second), **options)

    def draw(records: Sequence[Record], classified: Sequence[Classification]) -> None:
        _draw(records, classified, args.second)

    return predict(
        args,
        LinePredictions(
            name="classify", decisive=["second"], own_fields=_OWN_FIELDS, ask=ask, fields=_fields, draw=draw
        ),
    )


def _inputs(records: Sequence[Record], second: str | None) -> list[str] | list[tuple[str, str]]:
    """Give the texts, or the pairs, of records: all have a second text, or none has."""
    if second is not None:
        return [(record.text, second) for record in records]
    pairs = [(record.text, record.second) for record in records if record.second is not None]
    return pairs or [record.text for record in records]


def _fields(found: Classification) -> dict[str, Any]:
    from polyseme.cli.bulk.formats import numbers

    scores = dict(zip(found.labels, numbers(found.scores), strict=True))
    return {"label": found.label, "score": scores[found.label], "scores": scores, **info_fields(found.info)}


def _draw(records: Sequence[Record], classified: Sequence[Classification], second: str | None) -> None:
    rows = []
    for record, each in list(zip(records, classified, strict=True))[:_TABLE_ROWS]:
        order = each.scores.argsort()[::-1][1 : 1 + _NEXT]
        after = ", ".join(f"{spell_out(each.labels[index])} {each.scores[index]:.4f}" for index in order)
        other = second if record.second is None else record.second
        text = record.text if other is None else f"{abridge(record.text, 36)} | {abridge(other, 36)}"
        rows.append((abridge(text, 75), spell_out(each.label), f"{each.score:.4f}", after, tokens_cell(each.info)))
    left_out = f"{len(records) - len(rows)} more texts not shown: --json; " if len(records) > len(rows) else ""
    caption = f"{left_out}{len(classified[0].labels)} labels"
    print_table(("text:", "label:", "score", "next:", "tokens"), rows, caption=caption)
