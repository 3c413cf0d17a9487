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
    """Answers calls about the models that are served."""

    descriptor = pb.DESCRIPTOR.services_by_name["ModelService"]

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self._registry = registry
        self._limits = limits

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods, by the name that the contract gives them."""
        return {"ListModels": self.list_models, "GetModel": self.get_model}

    async def list_models(self, _request: pb.ListModelsRequest, _call: Call) -> pb.ListModelsResponse:
        """Answer ListModels: all models, the default one first."""
        models = self._registry.models
        return pb.ListModelsResponse(models=[self._describe(model, models) for model in models])

    async def get_model(self, request: pb.GetModelRequest, _call: Call) -> pb.GetModelResponse:
        """Answer GetModel: one model.

        Raises:
            UnknownModelError: no such model.
        """
        models = self._registry.models
        return pb.GetModelResponse(model=self._describe(models.find(request.model.name, request.model.version), models))

    def _describe(self, model: ServedModel, models: Models) -> pb.Model:
        return replies.model(model, self._limits, is_default=model is models.default)
