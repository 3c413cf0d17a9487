"""Embed the records of a file."""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

from polyseme.cli.bulk.arguments import check_keep
from polyseme.cli.bulk.formats import Format, JsonLines, Npy, Parquet, Row
from polyseme.cli.bulk.kept import KeptColumns
from polyseme.cli.bulk.rows import embed_records
from polyseme.cli.inputs.input_file import InputFile
from polyseme.cli.inputs.records import Record
from polyseme.client import Client, Model

_OPTIONS: Final = ("dtype", "normalize", "dimensions", "truncate", "prompt_name", "without_prompt")
_LATER_OPTIONS: Final = ("without_prompt",)  # in a job only where they are set: runs begun by older versions go on


class Embedding:
    """The work of `polyseme embed`; of its methods `Work` tells.

    Attributes:
        result: the name of what becomes of a record.
        decisive: the options that decide the bytes of the output.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.result = "vector"
        self._options = {name: getattr(args, name) for name in _OPTIONS}
        self.decisive: dict[str, Any] = {
            f"--{name.replace('_', '-')}": value
            for name, value in self._options.items()
            if value or name not in _LATER_OPTIONS
        }

    def check(self, input_file: InputFile, path: Path) -> None:
        """Refuse columns to keep that the output has no place for."""
        check_keep(input_file.keep, path.suffix)
        if input_file.parquet and path.suffix == ".jsonl":
            input_file.parquet.check_json()

    def begin(self, client: Client, input_file: InputFile, path: Path, job: dict[str, Any]) -> Format:
        """Ask for a vector: its width and dtype are those of the output."""
        sample = client.embed_detailed("", **self._options).embeddings
        if path.suffix == ".jsonl":
            return JsonLines(input_file.keep)
        if path.suffix == ".npy":
            return Npy(sample.shape[-1], sample.dtype)
        kept = KeptColumns(input_file) if input_file.keep else None
        metadata = {f"polyseme {name.removeprefix('--')}": str(job[name]) for name in job}
        return Parquet(sample.shape[-1], sample.dtype, metadata, kept)

    def rows(
        self, client: Client, model: Model, records: Iterator[Record], *, first: int, skip: bool
    ) -> Generator[Row]:
        """Embed over one stream."""
        return embed_records(client, model, records, self._options, first=first, skip=skip)
