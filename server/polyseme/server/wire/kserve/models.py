"""Answers about the server and its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polyseme.artifact import own_version
from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.server.errors import UnknownModelError
from polyseme.server.models.served import ServedModel
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import Method
from polyseme.server.wire.kserve.tensors import BYTES, OUTPUTS, TEXT

PLATFORM: Final = "polyseme"
_ANY: Final = -1


class Models:
    """Answers calls about the server and its models."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the name that the contract gives them."""
        return {
            "ServerMetadata": self.server_metadata,
            "ModelReady": self.model_ready,
            "ModelMetadata": self.model_metadata,
            "ModelConfig": self.model_config,
            "RepositoryIndex": self.repository_index,
        }

    async def server_metadata(self, _request: pb.ServerMetadataRequest, _call: Call) -> pb.ServerMetadataResponse:
        """Answer ServerMetadata."""
        return pb.ServerMetadataResponse(name="polyseme", version=own_version(), extensions=["model_configuration"])

    async def model_ready(self, request: pb.ModelReadyRequest, _call: Call) -> pb.ModelReadyResponse:
        """Answer ModelReady: a model that is served is ready."""
        try:
            self._find(request)
        except UnknownModelError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    async def model_metadata(self, request: pb.ModelMetadataRequest, _call: Call) -> pb.ModelMetadataResponse:
        """Answer ModelMetadata.

        Raises:
            UnknownModelError: no such model.
        """
        model = self._find(request)
        tensor = pb.ModelMetadataResponse.TensorMetadata
        name = model.manifest.name
        return pb.ModelMetadataResponse(
            name=name,
            versions=[one.version for one in self._executions.models if one.manifest.name == name],
            platform=PLATFORM,
            inputs=[tensor(name=TEXT, datatype=BYTES.name, shape=[_ANY, 1])],
            outputs=[
                tensor(name=name, datatype=kind.name, shape=[_ANY, *_dims(name, model)])
                for name, kind in OUTPUTS.items()
            ],
        )

    async def model_config(self, request: pb.ModelConfigRequest, _call: Call) -> pb.ModelConfigResponse:
        """Answer ModelConfig.

        Raises:
            UnknownModelError: no such model.
        """
        model = self._find(request)
        config = pb.ModelConfig(
            name=model.manifest.name,
            platform=PLATFORM,
            max_batch_size=self._executions.limits.max_texts,
            input=[pb.ModelInput(name=TEXT, data_type=BYTES.number, dims=[1])],
            output=[
                pb.ModelOutput(name=name, data_type=kind.number, dims=_dims(name, model))
                for name, kind in OUTPUTS.items()
            ],
        )
        return pb.ModelConfigResponse(config=config)

    async def repository_index(self, _request: pb.RepositoryIndexRequest, _call: Call) -> pb.RepositoryIndexResponse:
        """Answer RepositoryIndex: all models, the default one first."""
        index = pb.RepositoryIndexResponse.ModelIndex
        return pb.RepositoryIndexResponse(
            models=[
                index(name=one.manifest.name, version=one.version, state="READY") for one in self._executions.models
            ]
        )

    def _find(self, request: pb.ModelReadyRequest | pb.ModelMetadataRequest | pb.ModelConfigRequest) -> ServedModel:
        return self._executions.models.find(request.name, request.version)


def _dims(output: str, model: ServedModel) -> list[int]:
    """Give the shape of an output for one text."""
    return [model.spec.embedding.dimensions] if output == "embedding" else []
