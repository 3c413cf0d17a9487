"""The most entries that the lists of the contract's requests may have, counted before a request is parsed."""

from __future__ import annotations

from typing import Final

from polyseme.server.inference.parts.layers import MAX_LAYERS
from polyseme.server.inference.validation import Limits
from polyseme.server.wire.messages.intake import Bounds
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb
from polyseme.v1 import prediction_service_pb2 as predictions

_OF_TEXTS: Final = (
    pb.EmbedRequest,
    pb.EmbedTokensRequest,
    pb.EmbedSpansRequest,
    pb.SimilarityRequest,
    pb.TokenizeRequest,
    predictions.ClassifyRequest,
    predictions.TagTokensRequest,
    predictions.AnswerRequest,
    predictions.RerankRequest,
)


def bounds(limits: Limits) -> Bounds:
    """Give the bounds of all requests; a message with lists that is not named here ends the start of the server."""
    entries = dict.fromkeys((request.DESCRIPTOR.full_name for request in _OF_TEXTS), limits.max_texts)
    entries[pb.SpanInput.DESCRIPTOR.full_name] = limits.max_spans
    entries[common_pb2.LayerSelection.DESCRIPTOR.full_name] = MAX_LAYERS
    return Bounds(entries=entries, string_bytes=limits.max_text_bytes)
