"""Remember the server's models, which are asked for once and only when a call needs them."""

from __future__ import annotations

from polyseme.client._transport.rpc import GET_MODEL, LIST_MODELS, Plan, ask
from polyseme.client.models import Model, model_from, model_ref
from polyseme.v1 import model_service_pb2


class Catalog:
    """The models that the server described, by the name used to ask for them; "": the default one."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}

    def known(self, name: str) -> Model | None:
        """Give a model if the server described it before; None: it did not."""
        return self._models.get(name)

    def forget(self, name: str) -> None:
        """Ask for a model again when it is needed."""
        self._models.pop(name, None)

    def list(self, timeout: float | None) -> Plan[list[Model]]:
        """Ask for all models, the default one first."""
        request = model_service_pb2.ListModelsRequest().SerializeToString()
        reply = yield from ask(LIST_MODELS, request, model_service_pb2.ListModelsResponse, timeout)
        return [model_from(model) for model in reply.models]

    def get(self, name: str, timeout: float | None) -> Plan[Model]:
        """Ask for one model, and remember it.

        Raises:
            NotFoundError: the server has no such model.
        """
        request = model_service_pb2.GetModelRequest(model=model_ref(name)).SerializeToString()
        reply = yield from ask(GET_MODEL, request, model_service_pb2.GetModelResponse, timeout)
        self._models[name] = model = model_from(reply.model)
        return model
