"""The services of the contract: messages in, messages out."""

from polyseme.server.wire.v1.embedding import EmbeddingService
from polyseme.server.wire.v1.models import ModelService
from polyseme.server.wire.v1.stream import EmbeddingStream

__all__ = ["EmbeddingService", "EmbeddingStream", "ModelService"]
