"""Write Parquet; with inputs/parquet.py the only module that knows pyarrow."""

from __future__ import annotations

from collections.abc import Collection
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from polyseme.cli.bulk.kept import KeptColumns
from polyseme.cli.inputs.parquet import pyarrow

_GROUP_BYTES: Final = 32 << 20  # vectors in a row group, which is in memory as a whole


def write_parquet(
    file: IO[bytes],
    vectors: npt.NDArray[Any],
    missing: Collection[int],
    metadata: dict[str, str],
    kept: KeptColumns | None = None,
) -> None:
    """Write columns row (int64, from 0), those that are kept, and embedding (a list of fixed size).

    The same rows give the same bytes.

    Args:
        file: the file to write to.
        vectors: [N, width]; may be memory-mapped, one row group is in memory at a time.
        missing: positions of rows to leave out.
        metadata: key-value metadata of the file.
        kept: columns of the input, N rows.
    """
    pa = pyarrow()
    width = vectors.shape[1]
    kind = pa.list_(pa.field("element", pa.from_numpy_dtype(vectors.dtype), nullable=False), width)
    fields = [
        pa.field("row", pa.int64(), nullable=False),
        *(kept.schema() if kept else ()),
        pa.field("embedding", kind, nullable=False),
    ]
    schema = pa.schema(fields, metadata=metadata)
    step = max(1, _GROUP_BYTES // (width * vectors.itemsize))
    taken = kept.tables(step) if kept else None
    with pa.parquet.ParquetWriter(file, schema, use_dictionary=False) as writer:
        for first in range(0, len(vectors), step):
            rows = np.array([row for row in range(first, min(first + step, len(vectors))) if row not in missing], int)
            elements = pa.array(np.ascontiguousarray(vectors[rows]).ravel())
            beside = next(taken).take(pa.array(rows - first)).columns if taken else []
            columns = [pa.array(rows, pa.int64()), *beside, pa.FixedSizeListArray.from_arrays(elements, type=kind)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=step)
