"""tei.v1.Predict: labels of a text, or of a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polyseme.artifact import HeadKind
from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.server.errors import FieldPath, InvalidInputError
from polyseme.server.inference.predictions.classification import classify
from polyseme.server.inference.predictions.finding import find_head
from polyseme.server.inference.predictions.queries import Classify
from polyseme.server.models.registry import Models
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.ordered import OrderedStream
from polyseme.server.wire.calls.service import Method, StreamMethod
from polyseme.server.wire.messages.field_names import fields_named
from polyseme.server.wire.tei import requests
from polyseme.server.wire.tei.replies import metadata

_TEXT: Final[Mapping[FieldPath, FieldPath]] = {("texts", 0): ("inputs",)}
_PAIR: Final[Mapping[FieldPath, FieldPath]] = {
    ("texts", 0): ("inputs", 0),
    ("pairs", 0, "first"): ("inputs", 0),
    ("pairs", 0, "second"): ("inputs", 1),
    ("pairs", 0): ("inputs",),
}
_LABEL_BYTES: Final = 1024  # of one label and its score in a reply, while it is made


class PredictService:
    """Answers calls for labels, with the only head of the model that classifies."""

    descriptor = pb.DESCRIPTOR.services_by_name["Predict"]

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    @property
    def methods(self) -> Mapping[str, Method]:
        """The unary methods, by the name that the contract gives them."""
        return {"Predict": self.predict, "PredictPair": self.predict_pair}

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The streams of them."""
        texts = OrderedStream(method=self.predict, executions=self._executions, reply_bytes=_reply_bytes)
        pairs = OrderedStream(method=self.predict_pair, executions=self._executions, reply_bytes=_reply_bytes)
        return {"PredictStream": texts.answer, "PredictPairStream": pairs.answer}

    async def predict(self, request: pb.PredictRequest, call: Call) -> pb.PredictResponse:
        """Answer Predict: the labels of a text, the best first."""
        with fields_named(_TEXT):
            return await self._predict(request, [request.inputs], call)

    async def predict_pair(self, request: pb.PredictPairRequest, call: Call) -> pb.PredictResponse:
        """Answer PredictPair: the labels of a pair, or of a text alone.

        Raises:
            InvalidInputError: there are neither one nor two texts.
        """
        if len(request.inputs) not in (1, 2):
            raise InvalidInputError(f" has {len(request.inputs)} entries; limits 1..2", ("inputs",))
        with fields_named(_PAIR):
            return await self._predict(request, list(request.inputs), call)

    async def _predict(
        self, request: pb.PredictRequest | pb.PredictPairRequest, texts: list[str], call: Call
    ) -> pb.PredictResponse:
        execution = self._executions.of(call)
        name, head = find_head(execution.model, HeadKind.CLASSIFICATION, "")
        query = Classify(
            texts=texts if len(texts) == 1 else (),
            pairs=[(texts[0], texts[1])] if len(texts) == 2 else (),
            head=name,
            long_texts=requests.long_texts(request),
            scores=requests.scores(request, labels=len(head.spec.labels)),
        )
        classified = await classify(query, execution)
        scores: list[float] = classified.scores[0].tolist()
        ranked = sorted(zip(scores, head.spec.labels, strict=True), key=lambda one: -one[0])
        return pb.PredictResponse(
            predictions=[pb.Prediction(score=score, label=label) for score, label in ranked],
            metadata=metadata(call, texts, classified.inputs[0].tokens),
        )


def _reply_bytes(_request: pb.PredictRequest | pb.PredictPairRequest, models: Models) -> int:
    return sum(len(head.spec.labels) for head in models.default.heads.values()) * _LABEL_BYTES
