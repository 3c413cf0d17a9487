"""float32 numbers as protobuf has a repeated float: their bytes, with no Python object for each. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]

_LENGTH_DELIMITED: Final = 2
_SEVEN_BITS: Final = 0x7F
_CONTINUES: Final = 0x80


def packed_floats(number: int, values: Float32Array) -> bytes:
    """Give the bytes of a field of repeated floats, for `MergeFromString` of its message.

    Args:
        number: of the field.
        values: [...] float32.

    Source: https://protobuf.dev/programming-guides/encoding/#packed
    """
    data = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > _SEVEN_BITS:
        digits.append(value & _SEVEN_BITS | _CONTINUES)
        value >>= 7
    digits.append(value)
    return bytes(digits)
