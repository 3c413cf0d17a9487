"""polyseme classify: give texts, or pairs of texts, their labels."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.predictions import add_prediction_arguments, prediction_options
from polyseme.cli.arguments.texts import add_source_arguments
from polyseme.cli.inputs.formats import add_keep_argument, refuse_to_keep
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.output import abridge, print_table
from polyseme.cli.predictions import info_fields, tokens_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.cli.inputs.records import Record
    from polyseme.client import Classification

NAME: Final = "classify"
HELP: Final = "classify texts, or pairs of texts, by a head of the model"
EXTRA: Final = "cli"

_OWN_FIELDS: Final = ("text", "second", "label", "score", "scores", "tokens", "truncated", "windows")
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
    add_keep_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the labels: a table on a terminal, else an object for each text."""
    options = prediction_options(args)
    records, keep = records_from(args)
    refuse_to_keep(keep, _OWN_FIELDS)
    if args.second is not None:
        records = [record._replace(second=args.second) for record in records]
    with client_from(args) as client:
        classified = client.classify(inputs_of(records), **options)
    if not args.json and not keep and sys.stdout.isatty():
        _draw(records, classified)
        return 0
    from polyseme.cli.bulk.formats import json_line

    for record, each in zip(records, classified, strict=True):
        sys.stdout.write(json_line(_fields(record, keep, each)))
    return 0


def inputs_of(records: Sequence[Record]) -> list[str] | list[tuple[str, str]]:
    """Give the texts, or the pairs, of records: all have a second text, or none has."""
    pairs = [(record.text, record.second) for record in records if record.second is not None]
    return pairs or [record.text for record in records]


def _fields(record: Record, keep: Sequence[str], found: Classification) -> dict[str, Any]:
    from polyseme.cli.bulk.formats import numbers

    scores = dict(zip(found.labels, numbers(found.scores), strict=True))
    return {
        "text": record.text,
        **({} if record.second is None else {"second": record.second}),
        **dict(zip(keep, record.kept, strict=True)),
        "label": found.label,
        "score": scores[found.label],
        "scores": scores,
        **info_fields(found.info),
    }


def _draw(records: Sequence[Record], classified: Sequence[Classification]) -> None:
    rows = []
    for record, each in list(zip(records, classified, strict=True))[:_TABLE_ROWS]:
        order = each.scores.argsort()[::-1][1 : 1 + _NEXT]
        after = ", ".join(f"{each.labels[index]} {each.scores[index]:.4f}" for index in order)
        text = record.text if record.second is None else f"{abridge(record.text, 36)} | {abridge(record.second, 36)}"
        rows.append((abridge(text, 75), each.label, f"{each.score:.4f}", after, tokens_cell(each.info)))
    left_out = f"{len(records) - len(rows)} more texts not shown: --json; " if len(records) > len(rows) else ""
    caption = f"{left_out}{len(classified[0].labels)} labels"
    print_table(("text:", "label:", "score", "next:", "tokens"), rows, caption=caption)
