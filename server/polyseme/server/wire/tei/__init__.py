"""The contract tei.v1 of text-embeddings-inference: messages in, messages out, over the default model."""

from __future__ import annotations

from polyseme.server.config import ServerConfig
from polyseme.server.inference.validation import Limits
from polyseme.server.models.registry import Registry
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import Service
from polyseme.server.wire.tei.bounds import bounds
from polyseme.server.wire.tei.embedding import EmbedService
from polyseme.server.wire.tei.info import InfoService
from polyseme.server.wire.tei.predicting import PredictService
from polyseme.server.wire.tei.reranking import RerankService
from polyseme.server.wire.tei.tokenizing import TokenizeService

__all__ = ["services"]


def services(registry: Registry, limits: Limits, config: ServerConfig) -> list[Service]:
    """Give the services of the contract over the default model of a registry."""
    executions = Executions(registry=registry, limits=limits)
    within = bounds(limits)
    return [
        Service(
            descriptor=service.descriptor,
            methods=service.methods,
            streams=service.streams,
            bounds=within,
            prefix=f"{service.descriptor.full_name}/",
            refuses_others=True,
        )
        for service in (
            InfoService(executions, config),
            EmbedService(executions),
            PredictService(executions),
            RerankService(executions),
            TokenizeService(executions),
        )
    ]
