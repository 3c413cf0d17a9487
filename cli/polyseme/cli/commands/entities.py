"""polyseme entities: find entities in texts, and mark them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.arguments.connection import add_client_arguments
from polyseme.cli.arguments.offsets import add_offset_unit_argument, code_point_of
from polyseme.cli.arguments.predictions import add_prediction_arguments
from polyseme.cli.arguments.texts import add_source_arguments
from polyseme.cli.bulk.arguments import add_lines_arguments
from polyseme.cli.output.lines import abridge, spell_out
from polyseme.cli.output.marking import Span, colours_of, mark, print_marked
from polyseme.cli.output.table import print_table
from polyseme.cli.predictions import LinePredictions, info_fields, predict, shortest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.cli.inputs.records import Record
    from polyseme.client import Client, Entity, TaggedText
    from polyseme.client.options import PredictionOptions

EXTRA: Final = "cli"

_OWN_FIELDS: Final = ("row", "text", "entities", "tokens", "truncated", "windows")
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
    add_lines_arguments(parser, "tags")


def run(args: argparse.Namespace) -> int:
    """Print the entities: marked in the texts and in a table on a terminal, else an object for each text.

    bulk/ does it from file to file.
    """

    def ask(client: Client, records: Sequence[Record], options: PredictionOptions) -> list[TaggedText]:
        return client.entities(
            [record.text for record in records],
            aggregation=args.aggregation,
            offset_unit=args.offset_unit,
            **options,
        )

    def draw(records: Sequence[Record], tagged: Sequence[TaggedText]) -> None:
        _draw([record.text for record in records], tagged, args)

    return predict(
        args,
        LinePredictions(
            name="entities",
            decisive=["aggregation", "offset_unit"],
            own_fields=_OWN_FIELDS,
            ask=ask,
            fields=_fields,
            draw=draw,
        ),
    )


def _fields(found: TaggedText) -> dict[str, Any]:
    return {
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
        return spell_out(entity.label if args.aggregation == "none" else entity.group)

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
