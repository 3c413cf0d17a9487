"""polyseme entities: find entities in texts, and mark them."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.offsets import add_offset_unit_argument, code_point_of
from polyseme.cli.arguments.predictions import add_prediction_arguments, prediction_options
from polyseme.cli.arguments.texts import add_source_arguments
from polyseme.cli.inputs.formats import add_keep_argument, refuse_to_keep
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.marking import Span, colours_of, mark, print_marked
from polyseme.cli.output import abridge, print_table
from polyseme.cli.predictions import info_fields, shortest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.cli.inputs.records import Record
    from polyseme.client import Entity, TaggedText

NAME: Final = "entities"
HELP: Final = "find entities in texts, by a head of the model"
EXTRA: Final = "cli"

_OWN_FIELDS: Final = ("text", "entities", "tokens", "truncated", "windows")
_TABLE_ROWS: Final = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument(
        "--aggregation",
        choices=["none", "simple", "first", "average", "max"],
        default="simple",
        help="way in which labels of tokens become entities, as transformers' pipeline names it [%(default)s]",
    )
    add_offset_unit_argument(parser)
    add_prediction_arguments(parser)
    add_keep_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the entities: marked in the texts and in a table on a terminal, else an object for each text."""
    options = prediction_options(args)
    records, keep = records_from(args)
    refuse_to_keep(keep, _OWN_FIELDS)
    texts = [record.text for record in records]
    with client_from(args) as client:
        tagged = client.entities(texts, aggregation=args.aggregation, offset_unit=args.offset_unit, **options)
    if not args.json and not keep and sys.stdout.isatty():
        _draw(texts, tagged, args)
        return 0
    from polyseme.cli.bulk.formats import json_line

    for record, each in zip(records, tagged, strict=True):
        sys.stdout.write(json_line(_fields(record, keep, each)))
    return 0


def _fields(record: Record, keep: Sequence[str], found: TaggedText) -> dict[str, Any]:
    return {
        "text": record.text,
        **dict(zip(keep, record.kept, strict=True)),
        "entities": [
            {
                **{name: getattr(entity, name) for name in ("text", "start", "end", "label", "group")},
                "score": shortest(entity.score),
                "tokens": entity.tokens,
            }
            for entity in found.entities
        ],
        **info_fields(found.info),
    }


def _draw(texts: Sequence[str], tagged: Sequence[TaggedText], args: argparse.Namespace) -> None:
    def label_of(entity: Entity) -> str:
        return entity.label if args.aggregation == "none" else entity.group

    def span_of(text: str, entity: Entity) -> Span:
        start, end = (code_point_of(text, offset, args.offset_unit) for offset in (entity.start, entity.end))
        return Span(start, end, label_of(entity))

    found = [(row, entity) for row, each in enumerate(tagged) for entity in each.entities]
    colours = colours_of([label_of(entity) for _, entity in found])
    shown = list(zip(texts, tagged, strict=True))[:_TABLE_ROWS]
    print_marked([mark(text, [span_of(text, entity) for entity in each.entities], colours) for text, each in shown])
    rows = [
        (str(row), abridge(entity.text), label_of(entity), f"{entity.score:.4f}", f"{entity.start}-{entity.end}")
        for row, entity in found[:_TABLE_ROWS]
    ]
    left_out = [
        f"{count - _TABLE_ROWS} more {name} not shown: --json; "
        for name, count in (("texts", len(texts)), ("entities", len(found)))
        if count > _TABLE_ROWS
    ]
    caption = f"{''.join(left_out)}{len(found)} entities; row: number of the text, from 0"
    print_table(("row", "entity:", "label:", "score", "start-end"), rows, caption=caption)
