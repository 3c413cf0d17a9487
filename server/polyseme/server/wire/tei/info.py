"""tei.v1.Info."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polyseme.artifact import HeadKind, Precision, own_version
from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.server.config import ServerConfig
from polyseme.server.models.served import ServedModel
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.service import Method, StreamMethod

DTYPE: Final = {Precision.FP32: "float32", Precision.FP16: "float16"}


class InfoService:
    """Answers calls about the server and its default model."""

    descriptor = pb.DESCRIPTOR.services_by_name["Info"]
    streams: Final[Mapping[str, StreamMethod]] = {}

    def __init__(self, executions: Executions, config: ServerConfig) -> None:
        self._executions = executions
        self._config = config

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the name that the contract gives them."""
        return {"Info": self.info}

    async def info(self, _request: pb.InfoRequest, _call: Call) -> pb.InfoResponse:
        """Answer Info."""
        model, limits, config = self._executions.models.default, self._executions.limits, self._config
        engine = model.engine.info
        return pb.InfoResponse(
            version=own_version(),
            model_id=model.manifest.name,
            model_sha=model.manifest.sha256,
            model_dtype=DTYPE[engine.precision],
            model_type=_model_type(model),
            max_concurrent_requests=config.max_concurrent_calls,
            max_input_length=model.spec.max_tokens,
            max_batch_tokens=engine.policy.max_batch_tokens,
            max_batch_requests=engine.policy.max_batch_texts,
            max_client_batch_size=limits.max_texts,
            tokenization_workers=config.tokenizer_threads,
        )


def _model_type(model: ServedModel) -> pb.ModelType.ValueType:
    """Tell what a model can do besides vectors, which every model gives."""
    labels = [len(head.spec.labels) for head in model.heads.values() if head.spec.kind is HeadKind.CLASSIFICATION]
    if not labels:
        return pb.MODEL_TYPE_EMBEDDING
    return pb.MODEL_TYPE_RERANKER if 1 in labels else pb.MODEL_TYPE_CLASSIFIER
