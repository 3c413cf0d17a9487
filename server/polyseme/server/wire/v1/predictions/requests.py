"""Request messages become queries: one function per message."""

from __future__ import annotations

from typing import Final

from polyseme.runtime.heads.entities import Aggregation
from polyseme.runtime.text.inputs import Fit
from polyseme.server.inference.predictions.queries import Answer, Classify, LongTexts, Rerank, TagTokens
from polyseme.server.wire.v1 import enums
from polyseme.v1 import prediction_service_pb2 as pb

FIT: Final = {
    pb.LONG_TEXTS_UNSPECIFIED: Fit.REFUSE,
    pb.LONG_TEXTS_REFUSE: Fit.REFUSE,
    pb.LONG_TEXTS_LONGEST_FIRST: Fit.LONGEST_FIRST,
    pb.LONG_TEXTS_ONLY_SECOND: Fit.ONLY_SECOND,
    pb.LONG_TEXTS_WINDOWS: Fit.WINDOWS,
}
AGGREGATION: Final = {
    pb.AGGREGATION_UNSPECIFIED: Aggregation.SIMPLE,
    pb.AGGREGATION_NONE: Aggregation.NONE,
    pb.AGGREGATION_SIMPLE: Aggregation.SIMPLE,
    pb.AGGREGATION_FIRST: Aggregation.FIRST,
    pb.AGGREGATION_AVERAGE: Aggregation.AVERAGE,
    pb.AGGREGATION_MAX: Aggregation.MAX,
}


def classify(message: pb.ClassifyRequest) -> Classify:
    """Classify."""
    return Classify(
        texts=message.texts,
        pairs=[(pair.first, pair.second) for pair in message.pairs],
        head=message.head,
        long_texts=_long_texts(message),
    )


def tag_tokens(message: pb.TagTokensRequest) -> TagTokens:
    """TagTokens."""
    return TagTokens(
        texts=message.texts,
        aggregation=enums.known(AGGREGATION, message.aggregation, ("aggregation",)),
        head=message.head,
        long_texts=_long_texts(message),
    )


def answer(message: pb.AnswerRequest) -> Answer:
    """Answer."""
    return Answer(
        questions=[(one.question, one.context) for one in message.questions],
        max_answer_tokens=message.max_answer_tokens if message.HasField("max_answer_tokens") else 15,
        top_k=message.top_k if message.HasField("top_k") else 1,
        may_have_none=message.may_have_none,
        head=message.head,
        long_texts=_long_texts(message),
    )


def rerank(message: pb.RerankRequest) -> Rerank:
    """Rerank."""
    return Rerank(
        query=message.query,
        texts=message.texts,
        top_k=message.top_k if message.HasField("top_k") else None,
        head=message.head,
        long_texts=_long_texts(message),
    )


def _long_texts(message: pb.ClassifyRequest | pb.TagTokensRequest | pb.AnswerRequest | pb.RerankRequest) -> LongTexts:
    return LongTexts(
        fit=enums.known(FIT, message.long_texts, ("long_texts",)),
        overlap=message.overlap if message.HasField("overlap") else None,
    )
