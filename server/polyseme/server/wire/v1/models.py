"""polyseme.v1.ModelService."""

from __future__ import annotations

from collections.abc import Mapping

from polyseme.server.inference.validation import Limits
from polyseme.server.models.registry import Models, Registry
from polyseme.server.models.served import ServedModel
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.service import Method
from polyseme.server.wire.v1 import replies
from polyseme.v1 import model_service_pb2 as pb


class ModelService:
    """Tells which models there are."""

    descriptor = pb.DESCRIPTOR.services_by_name["ModelService"]

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self._registry = registry
        self._limits = limits

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the name that the contract gives them."""
        return {"ListModels": self.list_models, "GetModel": self.get_model}

    async def list_models(self, _request: pb.ListModelsRequest, _call: Call) -> pb.ListModelsResponse:
        """All models, the default one first."""
        models = self._registry.models
        return pb.ListModelsResponse(models=[self._describe(model, models) for model in models])

    async def get_model(self, request: pb.GetModelRequest, _call: Call) -> pb.GetModelResponse:
        """One model."""
        models = self._registry.models
        return pb.GetModelResponse(model=self._describe(models.find(request.model.name, request.model.version), models))

    def _describe(self, model: ServedModel, models: Models) -> pb.Model:
        return replies.model(model, self._limits, is_default=model is models.default)
