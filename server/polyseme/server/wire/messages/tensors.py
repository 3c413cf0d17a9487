"""Vectors as they travel: float32 rows to the bytes of a Tensor. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]


class WireType(Enum):
    """The element types of a Tensor."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"
    BINARY = "binary"


def encode(vectors: Float32Array, dtype: WireType) -> tuple[bytes, bytes]:
    """Encode vectors as row-major little-endian elements, with the scales of rows where the type has scales.

    Args:
        vectors: [..., D] finite float32; rows are the last axis.
        dtype: the element type to encode to.

    Returns:
        (data, scales): scales are little-endian float32, one per row, for INT8; empty for all others.
    """
    match dtype:
        case WireType.FLOAT32:
            return np.ascontiguousarray(vectors, dtype="<f4").tobytes(), b""
        case WireType.FLOAT16:
            return np.clip(vectors, -65504, 65504).astype("<f2").tobytes(), b""
        case WireType.BFLOAT16:
            return _bfloat16(vectors).tobytes(), b""
        case WireType.INT8:
            return _int8(vectors)
        case WireType.BINARY:
            return np.packbits(vectors > 0, axis=-1).tobytes(), b""


_ELEMENT_BITS: Final = {
    WireType.FLOAT32: 32,
    WireType.FLOAT16: 16,
    WireType.BFLOAT16: 16,
    WireType.INT8: 8,
    WireType.BINARY: 1,
}


def encoded_bytes(rows: int, width: int, dtype: WireType) -> int:
    """Count the bytes that `encode` gives for [rows, width], scales included."""
    return rows * (-(-width * _ELEMENT_BITS[dtype] // 8) + (4 if dtype is WireType.INT8 else 0))


def _bfloat16(vectors: Float32Array) -> npt.NDArray[np.uint16]:
    """Keep the upper half of each float32, rounded to nearest even."""
    bits = np.ascontiguousarray(vectors, dtype="<f4").view("<u4")
    rounded: npt.NDArray[np.uint16] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return rounded


def _int8(vectors: Float32Array) -> tuple[bytes, bytes]:
    """Quantize each row symmetrically: its largest magnitude becomes 127. A row of zeros has scale 0."""
    scales = (np.abs(vectors).max(axis=-1) / np.float32(127)).astype("<f4")
    steps = np.where(scales > 0, scales, 1)[..., None]
    return np.rint(vectors / steps).astype(np.int8).tobytes(), scales.tobytes()
