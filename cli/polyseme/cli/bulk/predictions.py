"""Ask heads of a model about the records of a file, some hundred a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from polyseme.cli.bulk.formats import Format, JsonLines, Row
from polyseme.cli.inputs.formats import refuse_to_keep
from polyseme.cli.inputs.input_file import InputFile
from polyseme.cli.inputs.records import Record
from polyseme.client import Client, InternalError, InvalidArgumentError, Model, PolysemeError

Predict: TypeAlias = Callable[[Client, Sequence[Record]], list[dict[str, Any]]]
"""Gives of each record the fields that become part of its line."""

_RECORDS: Final = 512  # asked about at once; the SDK makes calls of them
_BYTES: Final = 4 << 20  # of their texts, about
_INDEX: Final = re.compile(r"(?:texts|pairs)\[([0-9]+)\]\.?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The work of a subcommand that predicts; of its methods `Work` tells.

    Attributes:
        decisive: the options that decide the bytes of the output, the subcommand's name among them.
        own: names of the fields of a line, which no column to keep may have.
        predict: asks the server.
        result: the name of what becomes of a record.
    """

    decisive: dict[str, Any]
    own: Collection[str]
    predict: Predict
    result: str = "prediction"

    def check(self, input_file: InputFile, path: Path) -> None:
        """Refuse columns to keep that a line has no place for."""
        refuse_to_keep(input_file.keep, self.own)
        if input_file.parquet:
            input_file.parquet.check_json()

    def begin(self, client: Client, input_file: InputFile, path: Path, job: dict[str, Any]) -> Format:
        """Ask about a text, so that wrong options are refused."""
        self.predict(client, [Record("a", 0, second="a" if "second" in input_file.identity else None)])
        return JsonLines(input_file.keep)

    def rows(
        self, client: Client, model: Model, records: Iterator[Record], *, first: int, skip: bool
    ) -> Generator[Row]:
        """Ask about some records at once; where one is refused, about those around it again."""
        position = first
        for some in _portions(records, model.limits.max_text_bytes):
            readable = [record for record in some if record.problem is None]
            answers = self._answers(client, readable)
            for record in some:
                answer = next(answers) if record.problem is None else None
                if record.problem is not None:
                    yield Row(position, record, None, "INVALID_ARGUMENT", record.problem)
                elif isinstance(answer, PolysemeError):
                    status = answer.code.name if answer.code else "INVALID_ARGUMENT"  # refused before it was sent
                    yield Row(position, record, None, status, _problem(answer))
                else:
                    yield Row(position, record, answer)
                if not skip and not isinstance(answer, dict):
                    return
                position += 1

    def _answers(self, client: Client, records: Sequence[Record]) -> Iterator[dict[str, Any] | PolysemeError]:
        """Give the fields of each record, or its refusal.

        Raises:
            PolysemeError: the server failed, and not for a single text.
        """
        pending = [records]
        while pending:
            part = pending.pop()
            try:
                found = self.predict(client, part) if part else []
            except (InvalidArgumentError, InternalError) as error:
                if len(part) == 1:
                    yield error
                else:
                    pending += reversed(_around(part, error))
            else:
                yield from found


def _around(records: Sequence[Record], error: PolysemeError) -> list[Sequence[Record]]:
    """Split records around the one that an error names; in halves where it names none."""
    if (named := _INDEX.match(error.field or "")) is None:
        half = len(records) // 2
        return [records[:half], records[half:]]
    index = int(named[1])
    return [records[:index], records[index : index + 1], records[index + 1 :]]


def _portions(records: Iterator[Record], max_text_bytes: int) -> Iterator[list[Record]]:
    """Give some records at a time; a text that is over the server's limit becomes one that cannot be read."""
    portion: list[Record] = []
    held = 0
    for record in records:
        sizes = [len(text.encode(errors="replace")) for text in (record.text, record.second or "")]
        if record.problem is None and max(sizes) > max_text_bytes:
            record = record._replace(problem=f"has {max(sizes)} bytes; limit {max_text_bytes}")
        portion.append(record)
        held += sum(sizes)
        if len(portion) == _RECORDS or held >= _BYTES:
            yield portion
            portion, held = [], 0
    if portion:
        yield portion


def _problem(error: PolysemeError) -> str:
    """Say why a text has no prediction, without its index among those that were asked about at once."""
    text = str(error).removeprefix(f"{error.target}: ")
    return _INDEX.sub("", text, count=1).removeprefix(":").lstrip()
