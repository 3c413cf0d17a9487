"""ModelInfer and ModelStreamInfer: vectors of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.server.errors import FieldPath
from polyseme.server.inference.texts import TextEmbedding
from polyseme.server.inference.validation import check_reply_bytes
from polyseme.server.models.registry import Models
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.ordered import OrderedStream
from polyseme.server.wire.calls.service import Method, StreamMethod
from polyseme.server.wire.calls.status import CallStatus
from polyseme.server.wire.kserve.requests import embed_texts, output_names
from polyseme.server.wire.kserve.tensors import OUTPUTS, output
from polyseme.server.wire.messages.field_names import fields_named

_NAMES: Final[Mapping[FieldPath, FieldPath]] = {
    ("texts",): ("inputs", 0),
    ("text_options", "prompt_name"): ("parameters", "prompt_name"),
    ("dimensions",): ("parameters", "dimensions"),
}
_COPIES: Final = 4  # of a reply while it is made; as `inference.execution` has it
_ROW_BYTES: Final = 8  # of a text's own outputs beside its vector


class Inference:
    """Answers calls for vectors of texts, by any model that is served."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the name that the contract gives it."""
        return {"ModelInfer": self.model_infer}

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The stream of it, which tells an error in place of a reply and goes on."""
        stream = OrderedStream(
            method=self._in_stream,
            executions=self._executions,
            reply_bytes=self._reply_bytes,
            refusal=_refusal,
        )
        return {"ModelStreamInfer": stream.answer}

    async def model_infer(self, request: pb.ModelInferRequest, call: Call) -> pb.ModelInferResponse:
        """Answer ModelInfer, in the form that the request has: raw, or in typed fields."""
        execution = self._executions.of(call, name=request.model_name, version=request.model_version)
        names = output_names(request)
        with fields_named(_NAMES):
            embedding = TextEmbedding(embed_texts(request, execution.limits), execution)
            size = embedding.shape[0] * (embedding.shape[1] * 4 + _ROW_BYTES)
            check_reply_bytes(size, execution.limits)
            execution.reserve(size)
            embedded = await embedding.run()
        reply = pb.ModelInferResponse(
            model_name=execution.model.manifest.name, model_version=execution.model.version, id=request.id
        )
        for name in names:
            array = output(name, embedded)
            tensor = reply.outputs.add(name=name, datatype=OUTPUTS[name].name, shape=array.shape)
            if request.raw_input_contents:
                reply.raw_output_contents.append(array.tobytes())
            else:
                getattr(tensor.contents, OUTPUTS[name].contents).extend(array.ravel().tolist())
        return reply

    async def _in_stream(self, request: pb.ModelInferRequest, call: Call) -> pb.ModelStreamInferResponse:
        return pb.ModelStreamInferResponse(infer_response=await self.model_infer(request, call))

    def _reply_bytes(self, request: pb.ModelInferRequest, models: Models) -> int:
        texts = min(sum(abs(one.shape[0]) for one in request.inputs if one.shape), self._executions.limits.max_texts)
        dimensions = max((model.spec.embedding.dimensions for model in models), default=0)
        return texts * (dimensions * 4 + _ROW_BYTES) * _COPIES


def _refusal(request: object, status: CallStatus) -> pb.ModelStreamInferResponse:
    number = request.id if isinstance(request, pb.ModelInferRequest) else ""
    return pb.ModelStreamInferResponse(
        error_message=f"{status.code.name}: {status.message}", infer_response=pb.ModelInferResponse(id=number)
    )
