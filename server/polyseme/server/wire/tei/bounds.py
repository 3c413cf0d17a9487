"""The most entries that the lists of the contract's requests may have, counted before a request is parsed."""

from __future__ import annotations

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.server.inference.decoding import MAX_IDS
from polyseme.server.inference.validation import Limits
from polyseme.server.wire.messages.intake import Bounds


def bounds(limits: Limits) -> Bounds:
    """Give the bounds of all requests; a message with lists that is not named here ends the start of the server."""
    entries = {
        pb.PredictPairRequest.DESCRIPTOR.full_name: limits.max_texts,
        pb.RerankRequest.DESCRIPTOR.full_name: limits.max_texts,
        pb.DecodeRequest.DESCRIPTOR.full_name: MAX_IDS,
    }
    return Bounds(entries=entries, string_bytes=limits.max_text_bytes)
