"""The interface of what is done to the records of a file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

from polyseme.cli.bulk.formats import Format, Row
from polyseme.cli.inputs.input_file import InputFile
from polyseme.cli.inputs.records import Record
from polyseme.client import Client, Model


class Work(Protocol):
    """The work on the records of a file, which become vectors or predictions."""

    @property
    def result(self) -> str:
        """The name of what becomes of a record, as "vector"."""

    @property
    def decisive(self) -> dict[str, Any]:
        """The options that decide the bytes of the output, by their names in messages."""

    def check(self, input_file: InputFile, path: Path, /) -> None:
        """Refuse what the output has no place for.

        Raises:
            CliError: there is such a thing.
        """

    def begin(self, client: Client, input_file: InputFile, path: Path, job: dict[str, Any], /) -> Format:
        """Ask the server for a result, so that it refuses wrong options before anything is begun; choose the format.

        Raises:
            PolysemeError: the server refuses.
        """

    def rows(
        self, client: Client, model: Model, records: Iterator[Record], /, *, first: int, skip: bool
    ) -> Generator[Row]:
        """Give one row for each record.

        Args:
            client: the client to call with.
            model: the model that must answer.
            records: the records.
            first: index of the first row.
            skip: whether to go on after a record without a result; else it is the last one.

        Raises:
            PolysemeError: the server failed, and not for a single text.
        """
