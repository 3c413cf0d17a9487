"""polyseme.v1.PredictionService."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from polyseme.server.inference.execution import Execution
from polyseme.server.inference.predictions.answering import answer
from polyseme.server.inference.predictions.classification import classify, rerank
from polyseme.server.inference.predictions.tagging import tag
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.service import Method
from polyseme.server.wire.v1 import replies as common
from polyseme.server.wire.v1 import requests as common_requests
from polyseme.server.wire.v1.predictions import replies, requests
from polyseme.v1 import prediction_service_pb2 as pb

Request: TypeAlias = pb.ClassifyRequest | pb.TagTokensRequest | pb.AnswerRequest | pb.RerankRequest


class PredictionService:
    """Texts to classes, entities, answers and an order."""

    descriptor = pb.DESCRIPTOR.services_by_name["PredictionService"]

    def __init__(self, execution: Callable[[Request, Call], Execution]) -> None:
        """Take what finds the model of a request, and its place in the queue."""
        self._execution = execution

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the name that the contract gives them."""
        return {"Classify": self.classify, "TagTokens": self.tag_tokens, "Answer": self.answer, "Rerank": self.rerank}

    async def classify(self, request: pb.ClassifyRequest, call: Call) -> pb.ClassifyResponse:
        """Scores of labels."""
        execution = self._execution(request, call)
        classified = await classify(requests.classify(request), execution)
        return pb.ClassifyResponse(
            scores=common.tensor(classified.scores),
            head=classified.head,
            inputs=map(replies.input_info, classified.inputs),
            timings=common.timings(execution.stopwatch, call.elapsed_s()),
            model=common.identity(execution.model),
        )

    async def tag_tokens(self, request: pb.TagTokensRequest, call: Call) -> pb.TagTokensResponse:
        """Entities in texts."""
        execution = self._execution(request, call)
        unit = common_requests.offset_unit(request.offset_unit)
        tagged = await tag(requests.tag_tokens(request), execution)
        return pb.TagTokensResponse(
            texts=await asyncio.to_thread(replies.tagged, request.texts, tagged, unit),
            head=tagged.head,
            timings=common.timings(execution.stopwatch, call.elapsed_s()),
            model=common.identity(execution.model),
        )

    async def answer(self, request: pb.AnswerRequest, call: Call) -> pb.AnswerResponse:
        """Spans that answer questions."""
        execution = self._execution(request, call)
        unit = common_requests.offset_unit(request.offset_unit)
        answers = await answer(requests.answer(request), execution)
        contexts = [question.context for question in request.questions]
        return pb.AnswerResponse(
            questions=await asyncio.to_thread(replies.answered, contexts, answers.questions, unit),
            none_scores=common.tensor(np.array([one.none for one in answers.questions], dtype=np.float32)),
            head=answers.head,
            timings=common.timings(execution.stopwatch, call.elapsed_s()),
            model=common.identity(execution.model),
        )

    async def rerank(self, request: pb.RerankRequest, call: Call) -> pb.RerankResponse:
        """Texts in the order of how well they fit a query."""
        execution = self._execution(request, call)
        reranked = await rerank(requests.rerank(request), execution)
        return pb.RerankResponse(
            indices=reranked.indices,
            scores=common.tensor(reranked.scores),
            head=reranked.head,
            inputs=map(replies.input_info, reranked.inputs),
            timings=common.timings(execution.stopwatch, call.elapsed_s()),
            model=common.identity(execution.model),
        )
