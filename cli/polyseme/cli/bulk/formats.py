"""Encode rows as bytes to append, and complete the file when all rows are there.

Later rows do not change earlier ones: the bytes of the first n rows are the same in every run, so that a partial file
cut to n rows is like one that never had more.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from polyseme.cli.bulk.kept import KeptColumns
from polyseme.cli.bulk.parquet import write_parquet
from polyseme.cli.inputs.parquet import pyarrow
from polyseme.cli.inputs.records import Record

_HEAD_BYTES: Final = 128  # numpy leaves room for any number of rows, and aligns to 64


class Row(NamedTuple):
    """One row of the output: a record with what became of it, or the reason why there is nothing.

    Attributes:
        position: index of the row, from 0.
        record: the record that it was made from.
        result: a vector, [D], or [ceil(D / 8)] uint8 for packed bits; or the fields of a prediction; None: nothing.
        status: the name of a gRPC status; "OK" if there is a result.
        problem: the reason why there is no result; holds no part of the text.
    """

    position: int
    record: Record
    result: npt.NDArray[Any] | dict[str, Any] | None
    status: str = "OK"
    problem: str | None = None


class Format:
    """A format of output files; this base class knows nothing but rows."""

    def head(self) -> bytes:
        """Give the bytes before all rows."""
        return b""

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Give the bytes of consecutive rows."""
        raise NotImplementedError

    def seal(self, partial: Path, sealed: Path, rows: int, missing: Collection[int]) -> None:
        """Complete the file on the disk once all rows are written; can be repeated after a crash.

        Args:
            partial: the file with all rows.
            sealed: path of the complete file; the same as partial where it is completed in place.
            rows: number of rows.
            missing: positions of rows without a result.
        """


class Npy(Format):
    """An array [N, width] for np.load; a row without a vector is NaN.

    Args of the constructor: number of elements of a row, and their dtype.
    """

    def __init__(self, width: int, dtype: npt.DTypeLike) -> None:
        self._width, self._dtype = width, np.dtype(dtype).newbyteorder("<")

    def head(self) -> bytes:
        """Give the header of an array without rows."""
        return self._head(0)

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Give the elements of the rows, one row after the other."""
        nothing = (
            np.nan if self._dtype.kind == "f" else 0
        )  # packed bits have no NaN; only Parquet is made from such rows, and leaves them out
        block = np.full((len(rows), self._width), nothing, self._dtype)
        for index, row in enumerate(rows):
            if row.result is not None:
                block[index] = row.result
        return block.tobytes()

    def seal(self, partial: Path, sealed: Path, rows: int, missing: Collection[int]) -> None:
        """Write the number of rows into the header."""
        with partial.open("r+b") as file:
            file.write(self._head(rows))
            file.flush()
            os.fsync(file.fileno())

    def _head(self, rows: int) -> bytes:
        header = io.BytesIO()
        description = {"descr": self._dtype.str, "fortran_order": False, "shape": (rows, self._width)}
        np.lib.format.write_array_header_1_0(header, description)
        if header.tell() != _HEAD_BYTES:
            raise ValueError(f"numpy's header has {header.tell()} bytes; expected {_HEAD_BYTES}")
        return header.getvalue()


class Parquet(Npy):
    """Columns row, those of the input that are kept, and embedding; a row without a vector is left out.

    A Parquet file has its table of contents at its end and cannot be appended to: it is made from a .npy. What is kept
    is read from the input then.

    Args of the constructor: number of elements of a row, their dtype, key-value metadata of the file, and what is kept.
    """

    def __init__(
        self, width: int, dtype: npt.DTypeLike, metadata: dict[str, str], kept: KeptColumns | None = None
    ) -> None:
        super().__init__(width, dtype)
        self._metadata, self._kept = metadata, kept
        pyarrow()  # fails here if it is not installed, before any work is done

    def seal(self, partial: Path, sealed: Path, rows: int, missing: Collection[int]) -> None:
        """Write the vectors as Parquet."""
        vectors = np.memmap(partial, self._dtype, mode="r", offset=_HEAD_BYTES, shape=(rows, self._width))
        with sealed.open("wb") as file:
            write_parquet(file, vectors, missing, self._metadata, self._kept)
            file.flush()
            os.fsync(file.fileno())


class JsonLines(Format):
    """One object a line: row (from 0), text, what is kept, the result; a row without a result is left out.

    Args of the constructor: names of what is kept.
    """

    def __init__(self, keep: Sequence[str] = ()) -> None:
        self._keep = keep

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Give the lines."""
        return "".join(
            json_record(row.position, row.record, self._keep, _fields(row.result))
            for row in rows
            if row.result is not None
        ).encode()


def json_record(position: int, record: Record, keep: Sequence[str], fields: dict[str, Any]) -> str:
    """Encode a record as a line of JSON, with the names of what it keeps and the fields of what became of it."""
    second = {} if record.second is None else {"second": record.second}
    kept = dict(zip(keep, record.kept, strict=True))
    return json_line({"row": position, "text": record.text, **second, **kept, **fields})


def _fields(result: npt.NDArray[Any] | dict[str, Any]) -> dict[str, Any]:
    return result if isinstance(result, dict) else {"embedding": numbers(result)}


def json_line(entry: dict[str, Any]) -> str:
    """Encode an object as a line of JSON."""
    return json.dumps(entry, ensure_ascii=False) + "\n"


def numbers(vector: npt.NDArray[Any]) -> list[float]:
    """Give the shortest decimals that are the same float32; packed bits as integers, a byte each."""
    found: list[float] = vector.tolist()
    return found if vector.dtype.kind == "u" else [float(digits) for digits in vector.astype("U32")]
