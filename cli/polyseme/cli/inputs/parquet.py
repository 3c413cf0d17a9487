"""Read texts from Parquet; with bulk/parquet.py the only module that knows pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, Final

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.content import Content
from polyseme.cli.inputs.records import Record, listed

_BATCH_ROWS: Final = 1024


def pyarrow() -> ModuleType:
    """Import pyarrow and the parts of it that are used.

    Raises:
        CliError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise CliError(f".parquet needs {error.name}: pip install 'polyseme[parquet]'", 2) from error
    module: ModuleType = pyarrow
    return module


class ParquetInput:
    """The columns of a Parquet file that are read.

    Args of the constructor: the file; the column of texts, a name or an index from 0; the same, of columns to keep.

    Attributes:
        rows: number of rows.
        keep: names of the columns to keep.

    Raises:
        CliError: the file is not Parquet, has no such column, or the column does not hold texts.
    """

    def __init__(self, content: Content, column: str, keep: Sequence[str] = ()) -> None:
        self._pa, self._content = pyarrow(), content
        pa = self._pa
        try:
            self._table = pa.parquet.ParquetFile(content.file)
            self._schema = self._table.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise CliError(f"{content.name} is not Parquet that can be read: {type(error).__name__}", 2) from error
        self.rows: int = self._table.metadata.num_rows
        self._column = self._named(column)
        self.keep = tuple(map(self._named, keep))
        kind = _values_of(pa, self._schema.field(self._column).type)
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise CliError(f"{content.name} column {self._column} is {kind}, not string", 2)

    def records(self) -> Iterator[Record]:
        """Read the texts; values to keep come as JSON has them, dates and decimals as strings."""
        number = 0
        for batch in self._batches([self._column, *self.keep]):
            kept = [self._as_json(batch.column(name)) for name in self.keep]
            for text, *values in zip(batch.column(self._column).to_pylist(), *kept, strict=True):
                number += 1
                problem = "is null" if text is None else None
                yield Record(text or "", number, problem, tuple(values))

    def kept_schema(self) -> Any:  # noqa: ANN401  pyarrow's
        """Give the types of the columns to keep."""
        return self._pa.schema([self._schema.field(name).with_metadata(None) for name in self.keep])

    def kept_batches(self) -> Iterator[Any]:
        """Read the columns to keep, as they are."""
        return (batch.select(list(self.keep)) for batch in self._batches(list(self.keep)))

    def check_json(self) -> None:
        """Refuse columns to keep that JSON has no values for.

        Raises:
            CliError: there is one.
        """
        for name in self.keep:
            kind = _values_of(self._pa, self._schema.field(name).type)
            types = self._pa.types
            if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
                raise CliError(f"--keep {name}: the column is {kind}, which goes into .parquet alone", 2)

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        read = 0
        try:
            for batch in self._table.iter_batches(batch_size=_BATCH_ROWS, columns=list(dict.fromkeys(columns))):
                yield batch
                read += batch.num_rows
        except (self._pa.ArrowException, OSError, UnicodeError) as error:
            raise CliError(
                f"{self._content.name} cannot be read after row {read}: {type(error).__name__}", 2
            ) from error

    def _named(self, column: str) -> str:
        names: list[str] = self._schema.names
        if column not in names and column.isascii() and column.isdigit() and int(column) < len(names):
            column = names[int(column)]
        if (count := names.count(column)) != 1:
            has = f"has {count} columns {column}" if count else f"has no column {column}; it has {listed(names)}"
            raise CliError(f"{self._content.name} {has}", 2)
        return column

    def _as_json(self, column: Any) -> list[Any]:  # noqa: ANN401  pyarrow's
        types, kind = self._pa.types, _values_of(self._pa, column.type)
        if types.is_temporal(kind) or types.is_decimal(kind):
            column = column.cast(self._pa.string())
        values: list[Any] = column.to_pylist()
        if types.is_floating(kind):
            return [None if value is None or value - value != 0 else value for value in values]  # NaN is no JSON
        return values


def _values_of(pa: ModuleType, kind: Any) -> Any:  # noqa: ANN401  pyarrow's
    return kind.value_type if pa.types.is_dictionary(kind) else kind
