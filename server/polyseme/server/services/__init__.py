"""The services of the contract: messages in, messages out."""

from polyseme.server.services.embedding import EmbeddingService
from polyseme.server.services.models import ModelService
from polyseme.server.services.stream import EmbeddingStream

__all__ = ["EmbeddingService", "EmbeddingStream", "ModelService"]
