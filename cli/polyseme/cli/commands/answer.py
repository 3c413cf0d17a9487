"""polyseme answer: answer a question by a part of each text."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.numbers import positive
from polyseme.cli.arguments.offsets import add_offset_unit_argument, code_point_of
from polyseme.cli.arguments.predictions import add_prediction_arguments, prediction_options
from polyseme.cli.arguments.texts import add_source_arguments
from polyseme.cli.inputs.formats import add_keep_argument, refuse_to_keep
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.output.lines import abridge
from polyseme.cli.output.table import print_table
from polyseme.cli.predictions import info_fields, shortest, write_lines
from polyseme.cli.senses.occurrences import Occurrence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.cli.inputs.records import Record
    from polyseme.client import Answered

EXTRA: Final = "cli"

_OWN_FIELDS: Final = ("row", "text", "answers", "none_score", "tokens", "truncated", "windows")
_TABLE_ROWS: Final = 50
_AROUND: Final = 30  # characters shown on each side of an answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("question", metavar="QUESTION", help="question to each text")
    add_source_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument(
        "-k", "--top-k", metavar="K", type=positive, default=1, help="number of answers of each text [%(default)s]"
    )
    parser.add_argument(
        "--max-answer-tokens",
        metavar="N",
        type=positive,
        default=15,
        help="most tokens of an answer [%(default)s]",
    )
    parser.add_argument(
        "--may-have-none", action="store_true", help="leave out answers that score lower than no answer at all"
    )
    add_offset_unit_argument(parser)
    add_prediction_arguments(parser)
    add_keep_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the answers, the best of each text first: a table on a terminal, else an object for each text."""
    options = prediction_options(args)
    records, keep = records_from(args)
    refuse_to_keep(keep, _OWN_FIELDS)
    with client_from(args) as client:
        answered = client.answer(
            [args.question] * len(records),
            [record.text for record in records],
            top_k=args.top_k,
            max_answer_tokens=args.max_answer_tokens,
            may_have_none=args.may_have_none,
            offset_unit=args.offset_unit,
            **options,
        )
    if not args.json and not keep and sys.stdout.isatty():
        _draw(records, answered, args.offset_unit)
        return 0
    write_lines(None, records, keep, map(_fields, answered))
    return 0


def _fields(found: Answered) -> dict[str, Any]:
    return {
        "answers": [
            {
                **{name: getattr(answer, name) for name in ("text", "start", "end")},
                "score": shortest(answer.score),
                "tokens": answer.tokens,
            }
            for answer in found.answers
        ],
        "none_score": shortest(found.none_score),
        **info_fields(found.info),
    }


def _draw(records: Sequence[Record], answered: Sequence[Answered], unit: str) -> None:
    rows = []
    for row, (record, each) in enumerate(zip(records, answered, strict=True)):
        if not each.answers:
            rows.append((str(row), "(none)", f"{each.none_score:.4f}", "", abridge(record.text, 2 * _AROUND)))
        for answer in each.answers:
            start, end = (code_point_of(record.text, at, unit) for at in (answer.start, answer.end))
            before, found, after = Occurrence(row, record.text, start, end).in_context(_AROUND)
            place = f"{answer.start}-{answer.end}"
            rows.append((str(row), abridge(answer.text), f"{answer.score:.4f}", place, f"{before}[{found}]{after}"))
    left_out = f"{len(rows) - _TABLE_ROWS} more answers not shown: --json; " if len(rows) > _TABLE_ROWS else ""
    caption = f"{left_out}row: number of the text, from 0"
    print_table(("row", "answer:", "score", "start-end", "in context:"), rows[:_TABLE_ROWS], caption=caption)
