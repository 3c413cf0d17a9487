"""Decode the vectors and scores of a reply: those that were asked for, and nothing that is no number."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.client.errors import InvalidReplyError
from polyseme.client.tensor import decode_tensor
from polyseme.v1 import tensor_pb2


def decode_asked(tensor: tensor_pb2.Tensor, dtype: tensor_pb2.DataType.ValueType, what: str) -> npt.NDArray[Any]:
    """Decode a tensor, as `decode_tensor` does, that has to be of a type.

    Args:
        tensor: from the wire.
        dtype: as the request asked for.
        what: its name in errors: "embeddings".

    Raises:
        InvalidReplyError: it cannot be decoded, is of another type, is 0 wide, or holds NaN or an infinity.
    """
    values = decode_tensor(tensor)
    if tensor.dtype != dtype:
        names = tensor_pb2.DataType.Name
        raise InvalidReplyError(f"reply has {what} of {names(tensor.dtype)}; {names(dtype)} was asked for")
    if not tensor.shape[-1]:
        raise InvalidReplyError(f"reply has {what} of shape {list(tensor.shape)}; 0 wide")
    if values.dtype == np.float32 and not np.isfinite(values).all():
        raise InvalidReplyError(f"reply has {what} of shape {list(tensor.shape)} with numbers that are not finite")
    return values
