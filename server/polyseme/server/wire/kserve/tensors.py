"""The tensors of the contract: one of texts goes in; vectors, token counts and what was cut come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.texts import EmbeddedTexts

TEXT: Final = "text"
_LENGTH_BYTES: Final = 4  # before each text of raw_input_contents


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorType:
    """A type of elements.

    Attributes:
        name: as tensors have it.
        number: as ModelConfig has it.
        contents: the field of InferTensorContents that holds such elements.
    """

    name: str
    number: pb.DataType.ValueType
    contents: str


BYTES: Final = TensorType(name="BYTES", number=pb.TYPE_STRING, contents="bytes_contents")
OUTPUTS: Final = {
    "embedding": TensorType(name="FP32", number=pb.TYPE_FP32, contents="fp32_contents"),
    "tokens": TensorType(name="UINT32", number=pb.TYPE_UINT32, contents="uint_contents"),
    "truncated": TensorType(name="BOOL", number=pb.TYPE_BOOL, contents="bool_contents"),
}


def output(name: str, embedded: EmbeddedTexts) -> npt.NDArray[np.generic]:
    """Give the array of an output: [N, D] of the vectors, [N] of all others."""
    match name:
        case "embedding":
            return embedded.vectors
        case "tokens":
            return np.array([len(text.ids) for text in embedded.texts], dtype="<u4")
        case _:
            return np.array([text.truncated for text in embedded.texts], dtype=np.bool_)


def split_raw(data: bytes, count: int) -> Sequence[bytes]:
    """Split the bytes of a BYTES tensor: of each element its length in 4 bytes, little-endian, then itself.

    Args:
        data: of one input.
        count: number of elements that its shape has.

    Raises:
        InvalidInputError: they are of more or fewer elements, or end within one.
    """
    elements: list[bytes] = []
    at = 0
    while at < len(data) and len(elements) < count:
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "little")
        elements.append(data[start:at])
    if at != len(data) or len(elements) != count:
        raise InvalidInputError(
            f" has {len(data)} bytes, which are not {count} elements of the shape, each after 4 bytes of its length",
            ("raw_input_contents", 0),
        )
    return elements
