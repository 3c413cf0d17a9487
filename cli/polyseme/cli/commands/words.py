"""polyseme words: embed the words of texts, each in its context."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.layers import add_layer_arguments
from polyseme.cli.arguments.texts import add_text_arguments
from polyseme.cli.arguments.words import add_word_arguments, explained, text_without_word
from polyseme.cli.errors import CliError
from polyseme.cli.inputs.formats import add_keep_argument, refuse_to_keep
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.output.files import refuse_to_replace, writing
from polyseme.cli.output.lines import abridge
from polyseme.cli.output.progress import PROGRESS_FROM
from polyseme.cli.output.table import print_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyseme.cli.inputs.records import Record
    from polyseme.client import Client, Word, WordEmbeddings

EXTRA: Final = "cli"

_SUFFIXES: Final = (".npy", ".jsonl")
_OWN_FIELDS: Final = ("row", "word", "start", "end", "occurrence", "tokens", "truncated", "embedding")
_TABLE_ROWS: Final = 50
_AT_ONCE: Final = 64  # texts of a call of which some may lack a word


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_text_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument(
        "-w", "--word", metavar="WORD", action="append", help="word to embed, wherever it occurs; may be repeated [all]"
    )
    add_word_arguments(parser)
    parser.add_argument("--skip-missing", action="store_true", help="leave texts out that lack a word of --word")
    add_layer_arguments(parser)
    parser.add_argument(
        "--subtokens",
        choices=["mean", "first", "last", "first_last"],
        default="mean",
        help="way in which the tokens of a word become one vector [%(default)s]",
    )
    parser.add_argument("--normalize", action="store_true", help="scale vectors to length 1")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="OUT.jsonl, a word a line; OUT.npy, vectors alone, in the same order; -: JSON lines on stdout [a table on "
        "a terminal, else JSON lines]",
    )
    add_keep_argument(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")


def run(args: argparse.Namespace) -> int:
    """Embed words, and write or print them with their vectors."""
    path = _output_path(args)
    records, keep = records_from(args)
    refuse_to_keep(keep, _OWN_FIELDS)
    with client_from(args) as client:
        rows, found = _embed(client, [record.text for record in records], args)
    if not sum(map(len, found)):
        raise CliError("no text has such a word" if args.word else "the texts have no words")
    lines = _json_lines(rows, found, records, keep)
    if path is not None:
        with writing(path) as file:
            if path.suffix == ".npy":
                import numpy as np

                np.save(file, np.concatenate([each.vectors for each in found], axis=-2))
            else:
                file.writelines(line.encode() for line in lines)
    elif args.output == "-" or keep or not sys.stdout.isatty():
        sys.stdout.writelines(lines)
    else:
        _draw(rows, found)
    return 0


def _output_path(args: argparse.Namespace) -> Path | None:
    """Check the arguments of the output before any work is done; None: stdout."""
    if args.skip_missing and not args.word:
        raise CliError("--skip-missing needs --word", 2)
    if args.output in (None, "-"):
        return None
    path = Path(args.output)
    if path.suffix not in _SUFFIXES:
        raise CliError(f"--output is {path}; it must end in {' or '.join(_SUFFIXES)}, or be -", 2)
    if path.suffix == ".npy" and args.keep:
        raise CliError("--keep is for .jsonl; an array has no columns", 2)
    refuse_to_replace(path, args)
    return path


def _embed(client: Client, texts: Sequence[str], args: argparse.Namespace) -> tuple[list[int], list[WordEmbeddings]]:
    """Give the indices of the texts that have the words, and their words.

    Raises:
        CliError: a text lacks a word, and none may.
    """
    from polyseme.client import InvalidArgumentError, Word

    words = [
        Word(word, partial_word=args.partial_word, ignore_case=args.ignore_case) for word in args.word or ()
    ] or None
    options = {
        name: getattr(args, name)
        for name in ("layers", "combine", "subtokens", "normalize", "truncate", "prompt_name", "without_prompt")
    }
    if args.skip_missing and words:
        return _embed_where_found(client, texts, words, options)
    try:
        progress = len(texts) >= PROGRESS_FROM and sys.stderr.isatty()
        found = client.embed_words(list(texts), words=words, progress=progress, **options)
    except InvalidArgumentError as error:
        raise explained(error, "text") from error
    return list(range(len(texts))), found


def _embed_where_found(
    client: Client, texts: Sequence[str], words: Sequence[Word], options: dict[str, Any]
) -> tuple[list[int], list[WordEmbeddings]]:
    """Ask for the texts that may have all words; where one lacks a word, ask again without it."""
    from polyseme.client import InvalidArgumentError

    folded = [word.text.casefold() for word in words]
    likely = [row for row, text in enumerate(texts) if all(word in text.casefold() for word in folded)]
    rows: list[int] = []
    found: list[WordEmbeddings] = []
    for first in range(0, len(likely), _AT_ONCE):
        some = likely[first : first + _AT_ONCE]
        while some:
            try:
                found += client.embed_words([texts[row] for row in some], words=words, **options)
            except InvalidArgumentError as error:
                if (index := text_without_word(error)) is None:
                    raise
                del some[index]
            else:
                break
        rows += some
    return rows, found


def _json_lines(
    rows: Sequence[int], found: Sequence[WordEmbeddings], records: Sequence[Record], keep: Sequence[str]
) -> Iterator[str]:
    from polyseme.cli.bulk.formats import json_line, numbers

    for row, words in zip(rows, found, strict=True):
        for index, (word, (start, end)) in enumerate(zip(words.words, words.spans, strict=True)):
            yield json_line(
                {
                    "row": row,
                    "word": word,
                    "start": start,
                    "end": end,
                    "occurrence": words.occurrences[index],
                    "tokens": words.tokens[index],
                    "truncated": words.truncated[index],
                    **dict(zip(keep, records[row].kept, strict=True)),
                    "embedding": numbers(words.vectors[..., index, :]),
                }
            )


def _draw(rows: Sequence[int], found: Sequence[WordEmbeddings]) -> None:
    shown = [
        (
            str(row),
            abridge(words.words[index]),
            f"{words.spans[index][0]}-{words.spans[index][1]}",
            f"{len(words.tokens[index])}{' (cut)' if words.truncated[index] else ''}",
            " ".join(f"{value:+.4f}" for value in words.vectors[..., index, :].ravel()[:4]) + " ...",
        )
        for row, words in zip(rows, found, strict=True)
        for index in range(len(words))
    ]
    left_out = f"{len(shown) - _TABLE_ROWS} more words not shown; " if len(shown) > _TABLE_ROWS else ""
    caption = f"{left_out}{found[0].vectors.shape[-1]} dimensions; row: number of the text, from 0"
    print_table(("row", "word:", "start-end", "tokens", "vector:"), shown[:_TABLE_ROWS], caption=caption)
