"""polyseme tokenize: show the tokens that a model sees of texts."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.offsets import add_offset_unit_argument
from polyseme.cli.arguments.texts import add_text_arguments
from polyseme.cli.inputs.formats import add_keep_argument, refuse_to_keep
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.output.lines import abridge, one_line
from polyseme.cli.output.table import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.client import TokenizedText

EXTRA: Final = "cli"

_OWN_FIELDS: Final = ("text", "tokens", "ids", "offsets", "special", "word_ids", "original_tokens", "truncated")
_TABLE_ROWS: Final = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_text_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument(
        "--without-special-tokens", action="store_true", help="put no [CLS] and [SEP], or their like, around a text"
    )
    add_offset_unit_argument(parser)
    add_keep_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON lines on a terminal too")


def run(args: argparse.Namespace) -> int:
    """Print the tokens: a table on a terminal, else an object for each text."""
    from polyseme.cli.bulk.formats import json_line

    records, keep = records_from(args)
    refuse_to_keep(keep, _OWN_FIELDS)
    texts = [record.text for record in records]
    with client_from(args) as client:
        tokenized = client.tokenize(
            texts,
            offset_unit=args.offset_unit,
            truncate=args.truncate,
            prompt_name=args.prompt_name,
            without_prompt=args.without_prompt,
            add_special_tokens=not args.without_special_tokens,
        )
    if not args.json and not keep and sys.stdout.isatty():
        _draw(texts, tokenized)
        return 0
    for record, each in zip(records, tokenized, strict=True):
        entry = {
            "text": record.text,
            **dict(zip(keep, record.kept, strict=True)),
            **{name: getattr(each, name) for name in ("tokens", "ids", "offsets", "special", "word_ids")},
            "original_tokens": each.info.original_tokens,
            "truncated": each.info.truncated,
        }
        sys.stdout.write(json_line(entry))
    return 0


def _draw(texts: Sequence[str], tokenized: Sequence[TokenizedText]) -> None:
    rows = [
        (str(row), one_line(token), str(number), f"{start}-{end}", "" if word is None else str(word))
        for row, each in enumerate(tokenized)
        for token, number, (start, end), word in zip(each.tokens, each.ids, each.offsets, each.word_ids, strict=True)
    ]
    left_out = f"{len(rows) - _TABLE_ROWS} more tokens not shown: --json; " if len(rows) > _TABLE_ROWS else ""
    first = f"{abridge(texts[0])}: {len(tokenized[0])} tokens"
    more = f", and {len(texts) - 1} more" if len(texts) > 1 else ""
    print_table(("row", "token:", "id", "start-end", "word"), rows[:_TABLE_ROWS], caption=f"{left_out}{first}{more}")
