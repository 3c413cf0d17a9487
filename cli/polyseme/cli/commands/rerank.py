"""polyseme rerank: put texts in the order of how well they fit a query, by a cross-encoder."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.numbers import positive
from polyseme.cli.arguments.predictions import add_prediction_arguments, prediction_options
from polyseme.cli.arguments.texts import add_source_arguments
from polyseme.cli.inputs.formats import add_keep_argument, refuse_to_keep
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.output.lines import abridge
from polyseme.cli.output.table import print_table
from polyseme.cli.predictions import info_fields, shortest, tokens_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.client import Ranked

EXTRA: Final = "cli"

_OWN_FIELDS: Final = ("row", "text", "score", "tokens", "truncated", "windows")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("query", metavar="QUERY", help="text that the others are ranked by")
    add_source_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument("-k", "--top-k", metavar="K", type=positive, help="number of best texts to print [all]")
    add_prediction_arguments(parser)
    add_keep_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the texts, the best first: a table on a terminal, else an object for each."""
    options = prediction_options(args)
    records, keep = records_from(args)
    refuse_to_keep(keep, _OWN_FIELDS)
    top_k = None if args.top_k is None else min(args.top_k, len(records))
    with client_from(args) as client:
        ranked = client.rerank(args.query, [record.text for record in records], top_k=top_k, **options)
    if not args.json and not keep and sys.stdout.isatty():
        _draw(ranked)
        return 0
    from polyseme.cli.bulk.formats import json_line

    for each in ranked:
        kept = dict(zip(keep, records[each.index].kept, strict=True))
        entry = {"row": each.index, "text": each.text, **kept, "score": shortest(each.score), **info_fields(each.info)}
        sys.stdout.write(json_line(entry))
    return 0


def _draw(ranked: Sequence[Ranked]) -> None:
    rows = [(f"{each.score:.4f}", str(each.index), abridge(each.text, 100), tokens_cell(each.info)) for each in ranked]
    print_table(("score", "row", "text:", "tokens"), rows, caption="row: number of the text, from 0")
