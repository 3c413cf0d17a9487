"""The contract polyseme.v1: messages in, messages out."""

from __future__ import annotations

from polyseme.server.inference.validation import Limits
from polyseme.server.models.registry import Registry
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import Service
from polyseme.server.wire.v1.bounds import bounds
from polyseme.server.wire.v1.embedding import EmbeddingService
from polyseme.server.wire.v1.models import ModelService
from polyseme.server.wire.v1.predictions import PredictionService
from polyseme.server.wire.v1.stream import EmbeddingStream

__all__ = ["services"]


def services(registry: Registry, limits: Limits) -> list[Service]:
    """Give the services of the contract over the models of a registry."""
    executions = Executions(registry=registry, limits=limits)
    embedding, models = EmbeddingService(executions), ModelService(registry, limits)
    predictions = PredictionService(embedding.execution)
    stream = EmbeddingStream(embedding, executions)
    within = bounds(limits)
    return [
        Service(descriptor=embedding.descriptor, methods=embedding.methods, streams=stream.methods, bounds=within),
        Service(descriptor=predictions.descriptor, methods=predictions.methods, bounds=within),
        Service(descriptor=models.descriptor, methods=models.methods),
    ]
