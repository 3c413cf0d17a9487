"""Columns of the input as columns of Parquet: read again when all rows are there, in groups of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from polyseme.cli.inputs.input_file import InputFile
from polyseme.cli.inputs.parquet import pyarrow

_BATCH_ROWS: Final = 1024
_EXACT: Final = 1 << 53  # integers that float64 has, on both sides of 0
_INT64: Final = range(-(1 << 63), 1 << 63)


class KeptColumns:
    """The columns that --keep names.

    Columns of Parquet keep their type. Fields of JSON become a column of the one type that all their values have, else
    of JSON as text. Fields of CSV are text.
    """

    def __init__(self, input_file: InputFile) -> None:
        self._input, self._pa = input_file, pyarrow()
        self._found: Any = None
        self._as_json: set[str] = set()  # names of columns that are JSON as text

    def schema(self) -> Any:  # noqa: ANN401  pyarrow's
        """Give the fields, without metadata."""
        if self._found is None:
            self._found = self._input.parquet.kept_schema() if self._input.parquet else self._schema_of_values()
        return self._found

    def tables(self, step: int) -> Iterator[Any]:
        """Read all rows, `step` in each table but the last."""
        pa, waiting, count = self._pa, list[Any](), 0
        for batch in self._batches():
            waiting.append(batch)
            count += batch.num_rows
            while count >= step:
                table = pa.Table.from_batches(waiting)
                yield table.slice(0, step)
                waiting, count = table.slice(step).to_batches(), count - step
        if count:
            yield pa.Table.from_batches(waiting)
        self._input.content.check_unchanged()

    def _batches(self) -> Iterator[Any]:
        if self._input.parquet:
            yield from self._input.parquet.kept_batches()
            return
        schema, records = self.schema(), self._input.records()
        while some := list(islice(records, _BATCH_ROWS)):
            rows = [record.kept or (None,) * len(schema) for record in some]
            columns = [
                self._pa.array(_written(values, as_json=field.name in self._as_json), field.type)
                for field, values in zip(schema, zip(*rows, strict=True), strict=True)
            ]
            yield self._pa.RecordBatch.from_arrays(columns, schema=schema)

    def _schema_of_values(self) -> Any:  # noqa: ANN401  pyarrow's
        kinds: list[set[str]] = [set() for _ in self._input.keep]
        for record in self._input.records():
            for found, value in zip(kinds, record.kept, strict=False):  # a record with a problem keeps nothing
                found.update(_kinds_of(value))
        types = {name: _type_of(found) for name, found in zip(self._input.keep, kinds, strict=True)}
        self._as_json = {name for name, kind in types.items() if kind is None}
        return self._pa.schema([(name, self._pa.type_for_alias(kind or "string")) for name, kind in types.items()])


def _kinds_of(value: Any) -> set[str]:  # noqa: ANN401  any JSON
    match value:
        case None:
            return set()
        case bool():
            return {"bool"}
        case int():
            return {"int64" if value in _INT64 else "json", *(() if -_EXACT <= value <= _EXACT else ("large",))}
        case float():
            return {"double"}
        case str():
            return {"string"}
    return {"json"}


def _type_of(kinds: set[str]) -> str | None:
    """Find the type that has all the values; None: there is none, they become JSON as text."""
    if kinds <= {"int64", "double"} and "double" in kinds:
        return "double"
    if not kinds:
        return "string"
    only, *others = kinds - {"large"}
    return None if others or only == "json" else only


def _written(values: Sequence[Any], *, as_json: bool) -> Sequence[Any]:
    return [None if value is None else json.dumps(value, ensure_ascii=False) for value in values] if as_json else values
