"""One safetensors file, read as untrusted input: a JSON header that says what lies where, then bytes.

Our own reader, since the library's numpy side reads BF16 in its newest versions only. Source: the format's description
in the README of huggingface/safetensors.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from polyseme.export.errors import CheckpointError

_LENGTH_BYTES: Final = 8
_MAX_HEADER_BYTES: Final = 100_000_000  # the library's own limit
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_METADATA: Final = "__metadata__"
_FLOATS: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_ITEM_BYTES: Final = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}


def refuse_pointer(path: Path) -> None:
    """Refuse what Git leaves in the place of a large file that was not fetched.

    Raises:
        CheckpointError: it is such a pointer.
    """
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise CheckpointError(
                f"{path.name} is a Git LFS pointer, not the file: fetch that with `git lfs pull` where it was cloned"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """A tensor's entry in the header; `start` and `end` count bytes behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class TensorFile:
    """The tensors of one file, memory-mapped.

    Attributes:
        entries: by name.
    """

    def __init__(self, path: Path) -> None:
        """Read and check the header.

        Raises:
            CheckpointError: the header lies about itself or the bytes behind it.
        """
        self.name = path.name
        try:
            size = path.stat().st_size
            refuse_pointer(path)
            if size < _LENGTH_BYTES:
                raise self._corrupt(f"{size} bytes; {_LENGTH_BYTES} are the least")
            content = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
        except OSError as error:
            raise CheckpointError(f"{path.name} cannot be read: {error.strerror}") from error
        length = int(content[:_LENGTH_BYTES].view("<u8")[0])
        if length > min(_MAX_HEADER_BYTES, size - _LENGTH_BYTES):
            raise self._corrupt(f"a header of {length} bytes in a file of {size}; limit {_MAX_HEADER_BYTES}")
        self._bytes = content[_LENGTH_BYTES + length :]
        self.entries = self._read_header(content[_LENGTH_BYTES : _LENGTH_BYTES + length].tobytes())
        self._refuse_gaps()

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """Read a tensor as float32, in the shape that the file gives; a read-only view where the file holds float32.

        Raises:
            CheckpointError: it has no float type.
        """
        entry = self.entries[name]
        if entry.dtype not in _FLOATS:
            raise CheckpointError(f"weight {name} is {entry.dtype}; one of {', '.join(_FLOATS)} is needed")
        values = self._bytes[entry.start : entry.end].view(_FLOATS[entry.dtype]).reshape(entry.shape)
        if entry.dtype == "BF16":  # the upper half of a float32
            return (values.astype("<u4") << 16).view("<f4")
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which Checkpoint refuses
            return values.astype(np.float32, copy=False)

    def _read_header(self, header: bytes) -> dict[str, TensorEntry]:
        try:
            document = json.loads(header, object_pairs_hook=_refuse_twice)
        except (ValueError, RecursionError) as error:
            raise self._corrupt(f"the header is not JSON ({type(error).__name__})") from error
        if not isinstance(document, dict):
            raise self._corrupt(f"the header is a {type(document).__name__}, not an object")
        return {name: self._entry(name, fields) for name, fields in document.items() if name != _METADATA}

    def _entry(self, name: str, fields: Any) -> TensorEntry:  # noqa: ANN401  whatever the file says
        if not isinstance(fields, dict) or not set(fields) >= {"dtype", "shape", "data_offsets"}:
            raise self._corrupt(f"tensor {_shown(name)} has no dtype, shape or data_offsets")
        dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _ITEM_BYTES:
            raise self._corrupt(f"tensor {_shown(name)} is of the unknown dtype {_shown(str(dtype))}")
        if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
            raise self._corrupt(f"tensor {_shown(name)} has a shape or data_offsets that are no integers of 0 or more")
        start, end = offsets
        expected = math.prod(shape) * _ITEM_BYTES[dtype]
        if end - start != expected or end > len(self._bytes):
            raise self._corrupt(
                f"tensor {_shown(name)} of {expected} bytes lies at {start}..{end} of {len(self._bytes)}"
            )
        return TensorEntry(dtype=dtype, shape=tuple(shape), start=start, end=end)

    def _refuse_gaps(self) -> None:
        """Tensors lie one behind the other, from the first byte to the last: no overlap, no place to hide."""
        at = 0
        for name, entry in sorted(self.entries.items(), key=lambda item: (item[1].start, item[1].end)):
            if entry.start != at:
                raise self._corrupt(f"tensor {_shown(name)} begins at byte {entry.start}, the one before ends at {at}")
            at = entry.end
        if at != len(self._bytes):
            raise self._corrupt(f"{len(self._bytes) - at} bytes behind the last tensor")

    def _corrupt(self, what: str) -> CheckpointError:
        return CheckpointError(f"{self.name} is corrupt or incomplete: {what}")


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document


def _are_counts(values: object) -> bool:
    return isinstance(values, list) and len(values) <= 8 and all(type(v) is int and 0 <= v < 1 << 48 for v in values)


def _shown(name: str) -> str:
    return ascii(name)[:80]
