"""polyseme classify: give texts, or pairs of texts, their labels."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.predictions import add_prediction_arguments, decisive_options, prediction_options
from polyseme.cli.arguments.texts import add_source_arguments
from polyseme.cli.bulk.arguments import add_lines_arguments, check_memory, is_from_file_to_file, lines_path
from polyseme.cli.inputs.formats import refuse_to_keep
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.output import abridge, print_table, refuse_to_replace, spell_out
from polyseme.cli.predictions import info_fields, tokens_cell, write_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.cli.inputs.records import Record
    from polyseme.client import Classification, Client

NAME: Final = "classify"
HELP: Final = "classify texts, or pairs of texts, by a head of the model"
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
    options = prediction_options(args)
    path = lines_path(args)

    def ask(client: Client, records: Sequence[Record]) -> list[Classification]:
        return client.classify(_inputs(records, args.second), **options)

    if path is not None and is_from_file_to_file(args, path):
        from polyseme.cli.bulk.predictions import Prediction
        from polyseme.cli.bulk.run import run_file

        options["priority"] = "bulk"
        decisive = decisive_options(args, NAME, "second")
        predict = lambda client, records: list(map(_fields, ask(client, records)))  # noqa: E731
        return run_file(args, path, Prediction(decisive=decisive, own=_OWN_FIELDS, predict=predict))
    check_memory(args, path)
    if path is not None:
        refuse_to_replace(path, args)
    records, keep = records_from(args)
    refuse_to_keep(keep, _OWN_FIELDS)
    with client_from(args) as client:
        classified = ask(client, records)
    if path is None and not args.json and not keep and sys.stdout.isatty():
        _draw(records, classified, args.second)
    else:
        write_lines(path, records, keep, map(_fields, classified))
    return 0


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
