"""The contract's two services: convert, delegate, convert."""

from polyseme.server.services.embedding import EmbeddingService
from polyseme.server.services.models import ModelService

__all__ = ["EmbeddingService", "ModelService"]
