"""inference.GRPCInferenceService, KServe's protocol as Triton has it: texts in, vectors and token counts out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.server.inference.validation import Limits
from polyseme.server.models.registry import Registry
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import Service
from polyseme.server.wire.kserve.bounds import bounds
from polyseme.server.wire.kserve.inference import Inference
from polyseme.server.wire.kserve.models import Models
from polyseme.server.wire.kserve.probes import Probes

__all__ = ["probes", "services"]

_DESCRIPTOR: Final = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
_PREFIX: Final = f"{_DESCRIPTOR.full_name}/"


def services(registry: Registry, limits: Limits) -> list[Service]:
    """Give the service over the models of a registry, without its probes."""
    executions = Executions(registry=registry, limits=limits)
    inference, models = Inference(executions), Models(executions)
    return [
        Service(
            descriptor=_DESCRIPTOR,
            methods={**inference.methods, **models.methods},
            streams=inference.streams,
            bounds=bounds(limits.max_texts, limits.max_text_bytes),
            prefix=_PREFIX,
            refuses_others=True,
        )
    ]


def probes(is_ready: Callable[[], bool]) -> list[Service]:
    """Give the methods of the service that everybody may call at any time."""
    return [Service(descriptor=_DESCRIPTOR, methods=Probes(is_ready).methods, bounds=bounds(1, 1), prefix=_PREFIX)]
