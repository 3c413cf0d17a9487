"""Read and write Parquet; only this module knows pyarrow."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import ModuleType
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from polyseme.cli.bulk.records import Record
from polyseme.cli.errors import CliError

_BATCH_ROWS: Final = 1024
_GROUP_BYTES: Final = 32 << 20  # vectors in a row group, which is in memory as a whole


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


def parquet_records(file: IO[bytes], name: str, column: str) -> tuple[int, Iterator[Record]]:
    """Give the number of rows, and the records.

    Args:
        file: the file, which must be seekable.
        name: name of the file in errors.
        column: a name, or an index from 0.

    Raises:
        CliError: the file is not Parquet, has no such column, or the column does not hold texts.
    """
    pa = pyarrow()
    try:
        table = pa.parquet.ParquetFile(file)
        schema = table.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise CliError(f"{name} is not Parquet that can be read: {type(error).__name__}", 2) from error
    if column not in schema.names and column.isascii() and column.isdigit() and int(column) < len(schema.names):
        column = schema.names[int(column)]
    if schema.names.count(column) != 1:
        raise CliError(f"{name} has no column {column}; it has {len(schema.names)}: {', '.join(schema.names[:20])}", 2)
    kind = schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise CliError(f"{name} column {column} is {kind}, not string", 2)
    return table.metadata.num_rows, _rows(pa, table, column, name)


def _rows(pa: ModuleType, table: Any, column: str, name: str) -> Iterator[Record]:  # noqa: ANN401  pyarrow's
    number = 0
    try:
        for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=[column]):
            for text in batch.column(0).to_pylist():
                number += 1
                yield Record("", number, "is null") if text is None else Record(text, number)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise CliError(f"{name} cannot be read after row {number}: {type(error).__name__}", 2) from error


def write_parquet(
    file: IO[bytes], vectors: npt.NDArray[Any], missing: Collection[int], metadata: dict[str, str]
) -> None:
    """Write columns row (int64, from 0) and embedding (a list of fixed size); the same rows give the same bytes.

    Args:
        file: the file to write to.
        vectors: [N, width]; may be memory-mapped, one row group is in memory at a time.
        missing: positions of rows to leave out.
        metadata: key-value metadata of the file.
    """
    pa = pyarrow()
    width = vectors.shape[1]
    kind = pa.list_(pa.field("element", pa.from_numpy_dtype(vectors.dtype), nullable=False), width)
    fields = [pa.field("row", pa.int64(), nullable=False), pa.field("embedding", kind, nullable=False)]
    schema = pa.schema(fields, metadata=metadata)
    step = max(1, _GROUP_BYTES // (width * vectors.itemsize))
    with pa.parquet.ParquetWriter(file, schema, use_dictionary=False) as writer:
        for first in range(0, len(vectors), step):
            rows = np.array([row for row in range(first, min(first + step, len(vectors))) if row not in missing], int)
            elements = pa.array(np.ascontiguousarray(vectors[rows]).ravel())
            columns = [pa.array(rows, pa.int64()), pa.FixedSizeListArray.from_arrays(elements, type=kind)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=step)
