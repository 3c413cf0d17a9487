"""Decode polyseme.v1.Tensor into a numpy array."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from polyseme.client.errors import InvalidReplyError
from polyseme.v1 import tensor_pb2

_ELEMENT_BYTES: Final = {
    tensor_pb2.DATA_TYPE_FLOAT32: 4,
    tensor_pb2.DATA_TYPE_FLOAT16: 2,
    tensor_pb2.DATA_TYPE_BFLOAT16: 2,
    tensor_pb2.DATA_TYPE_INT8: 1,
}
_MAX_AXES: Final = 8
_MAX_ELEMENTS: Final = 1 << 40  # also with axes of length 0 left out: no shape that numpy cannot hold


def decode_tensor(tensor: tensor_pb2.Tensor) -> npt.NDArray[Any]:
    """Decode a tensor into an array of its own: writable, contiguous, in the machine's byte order.

    Returns:
        float32 in the tensor's shape, for FLOAT32, FLOAT16, BFLOAT16 and INT8 (scaled). For BINARY uint8, the bits
        packed most significant first: the last axis has ceil(D / 8) bytes, and
        `np.unpackbits(array, axis=-1, count=D)` gives the bits.

    Raises:
        InvalidReplyError: the dtype is unknown, or the length of the data does not fit the shape.
    """
    shape = _checked_shape(tensor)
    if tensor.dtype == tensor_pb2.DATA_TYPE_BINARY:
        packed = (*shape[:-1], -(-shape[-1] // 8))
        return np.frombuffer(_checked_data(tensor, math.prod(packed)), np.uint8).reshape(packed).copy()
    size = _ELEMENT_BYTES.get(tensor.dtype)
    if size is None:
        raise InvalidReplyError(f"tensor has unknown dtype {tensor.dtype}")
    return _floats(tensor, _checked_data(tensor, size * math.prod(shape)), shape)


def int8_and_scales(tensor: tensor_pb2.Tensor) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Give the elements of an INT8 tensor as they were sent, and the scale of each row, in arrays that share its bytes.

    Raises:
        InvalidReplyError: the length of the data or the scales does not fit the shape.
    """
    shape = _checked_shape(tensor)
    elements = np.frombuffer(_checked_data(tensor, math.prod(shape)), np.int8).reshape(shape)
    return elements, _scales(tensor, shape[:-1])[..., 0]


def _floats(tensor: tensor_pb2.Tensor, data: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    match tensor.dtype:
        case tensor_pb2.DATA_TYPE_FLOAT32:
            return np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)
        case tensor_pb2.DATA_TYPE_FLOAT16:
            return np.frombuffer(data, "<f2").reshape(shape).astype(np.float32)
        case tensor_pb2.DATA_TYPE_BFLOAT16:
            floats = np.empty(shape, np.float32)
            np.left_shift(np.frombuffer(data, "<u2").reshape(shape), 16, out=floats.view(np.uint32), dtype=np.uint32)
            return floats
        case _:
            elements = np.frombuffer(data, np.int8).reshape(shape).astype(np.float32)
            elements *= _scales(tensor, shape[:-1])
            return elements


def _checked_shape(tensor: tensor_pb2.Tensor) -> tuple[int, ...]:
    shape = tuple(tensor.shape)
    if not 1 <= len(shape) <= _MAX_AXES:
        raise InvalidReplyError(f"tensor has {len(shape)} axes; 1 to {_MAX_AXES} are valid")
    if min(shape) < 0 or math.prod(max(length, 1) for length in shape) > _MAX_ELEMENTS:
        raise InvalidReplyError(f"tensor has the impossible shape {list(shape)}")
    return shape


def _checked_data(tensor: tensor_pb2.Tensor, expected: int) -> bytes:
    if len(tensor.data) != expected:
        name = tensor_pb2.DataType.Name(tensor.dtype)
        raise InvalidReplyError(
            f"tensor of shape {list(tensor.shape)} and dtype {name} has {len(tensor.data)} bytes; {expected} expected"
        )
    if tensor.scales and tensor.dtype != tensor_pb2.DATA_TYPE_INT8:
        raise InvalidReplyError(f"tensor has {len(tensor.scales)} bytes of scales; only INT8 has scales")
    return tensor.data


def _scales(tensor: tensor_pb2.Tensor, rows: tuple[int, ...]) -> npt.NDArray[np.float32]:
    expected = 4 * math.prod(rows)
    if len(tensor.scales) != expected:
        raise InvalidReplyError(
            f"tensor of shape {list(tensor.shape)} has {len(tensor.scales)} bytes of scales; {expected} expected"
        )
    return np.frombuffer(tensor.scales, "<f4").astype(np.float32).reshape(*rows, 1)
