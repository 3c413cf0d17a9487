"""The most entries that the lists of the contract's requests may have, counted before a request is parsed."""

from __future__ import annotations

from typing import Final

from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.server.wire.messages.intake import Bounds

_FEW: Final = 64  # more than what any request needs: it has one input, three outputs, four parameters


def bounds(max_texts: int, max_text_bytes: int) -> Bounds:
    """Give the bounds of all requests; a message with lists that is not named here ends the start of the server."""
    entries = {
        pb.ModelInferRequest.DESCRIPTOR.full_name: _FEW,
        pb.ModelInferRequest.InferInputTensor.DESCRIPTOR.full_name: _FEW,
        pb.ModelInferRequest.InferRequestedOutputTensor.DESCRIPTOR.full_name: _FEW,
        pb.InferTensorContents.DESCRIPTOR.full_name: max_texts,
    }
    return Bounds(entries=entries, string_bytes=max_text_bytes)
