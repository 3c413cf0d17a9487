"""polyseme embed: texts in, vectors out, through a server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.numbers import positive
from polyseme.cli.arguments.texts import add_text_arguments
from polyseme.cli.bulk.arguments import (
    SUFFIXES,
    add_bulk_arguments,
    check_keep,
    check_memory,
    is_from_file_to_file,
)
from polyseme.cli.errors import CliError
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.output.files import refuse_to_replace, writing
from polyseme.cli.output.lines import abridge
from polyseme.cli.output.progress import PROGRESS_FROM
from polyseme.cli.output.table import print_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyseme.cli.inputs.records import Record
    from polyseme.client import EmbedResult

EXTRA: Final = "cli"

_TABLE_ROWS: Final = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_text_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="OUT.npy, OUT.parquet, OUT.jsonl; -: JSON lines on stdout [a table on a terminal, else JSON lines]",
    )
    parser.add_argument(
        "--normalize",
        action=argparse.BooleanOptionalAction,
        help="scale vectors to length 1 [as the model was trained]",
    )
    parser.add_argument(
        "--dimensions", metavar="D", type=positive, help="number of leading elements of each vector to keep [all]"
    )
    parser.add_argument(
        "--dtype",
        choices=["float32", "float16", "bfloat16", "int8", "binary"],
        default="float32",
        help="element type in which the server sends vectors; all but binary are written as float32 [%(default)s]",
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show the progress [for files, and for many texts on a terminal]",
    )
    add_bulk_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Embed texts, and write or print the vectors; bulk/ does it from file to file."""
    path = _output_path(args.output)
    if path is not None and is_from_file_to_file(args, path):
        from polyseme.cli.bulk.embedding import Embedding
        from polyseme.cli.bulk.run import run_file

        return run_file(args, path, Embedding(args))
    check_memory(args, path)
    if path is not None:
        refuse_to_replace(path, args)
    records, keep = records_from(args)
    check_keep(keep, path.suffix if path else ".jsonl")
    if path is not None and not args.texts:
        print("stdin and pipes are read into memory and cannot resume; --input FILE can", file=sys.stderr)
    texts = [record.text for record in records]
    progress = args.progress
    if progress is None:
        progress = len(texts) >= PROGRESS_FROM and sys.stderr.isatty()
    with client_from(args) as client:
        result = client.embed_detailed(
            texts,
            dtype=args.dtype,
            normalize=args.normalize,
            dimensions=args.dimensions,
            truncate=args.truncate,
            prompt_name=args.prompt_name,
            without_prompt=args.without_prompt,
            progress=progress,
        )
    if path is not None:
        with writing(path) as file:
            _write(file, path.suffix, records, keep, result)
    elif args.output == "-" or keep or not sys.stdout.isatty():
        sys.stdout.writelines(_json_lines(records, keep, result))
    else:
        _draw(texts, result)
    return 0


def _output_path(output: str | None) -> Path | None:
    """Check the path of the output before any work is done; None: stdout."""
    if output in (None, "-"):
        return None
    path = Path(output or "")
    if path.suffix not in SUFFIXES:
        raise CliError(f"--output is {output}; it must end in .npy, .parquet or .jsonl, or be -", 2)
    if not path.parent.is_dir():
        raise CliError(f"--output is {output}; there is no directory {path.parent}", 2)
    return path


def _write(file: IO[bytes], suffix: str, records: Sequence[Record], keep: Sequence[str], result: EmbedResult) -> None:
    import numpy as np

    if suffix == ".npy":
        np.save(file, result.embeddings)
    else:
        file.writelines(line.encode() for line in _json_lines(records, keep, result))


def _json_lines(records: Sequence[Record], keep: Sequence[str], result: EmbedResult) -> Iterator[str]:
    from polyseme.cli.bulk.formats import json_line, numbers

    for record, info, row in zip(records, result.texts, result.embeddings, strict=True):
        entry = {"text": record.text, **dict(zip(keep, record.kept, strict=True))}
        yield json_line({**entry, "tokens": info.tokens, "truncated": info.truncated, "embedding": numbers(row)})


def _draw(texts: Sequence[str], result: EmbedResult) -> None:
    import numpy as np

    packed = result.embeddings.dtype.kind == "u"
    rows = []
    for text, info, row in list(zip(texts, result.texts, result.embeddings, strict=True))[:_TABLE_ROWS]:
        first = " ".join(f"{value:08b}" if packed else f"{value:+.4f}" for value in row[:4])
        norm = "" if packed else f"{np.linalg.norm(row):.4f}"
        rows.append((abridge(text), f"{info.tokens}{' (cut)' if info.truncated else ''}", norm, f"{first} ..."))
    left_out = f"{len(texts) - len(rows)} more texts not shown; " if len(texts) > len(rows) else ""
    model = result.model
    caption = f"{left_out}{result.dimensions} dimensions; {model.name} {model.version} on {model.execution_provider}"
    print_table(("text:", "tokens", "norm", "vector:"), rows, caption=caption)
