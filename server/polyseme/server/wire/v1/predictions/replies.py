"""Predictions become reply messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polyseme.runtime.heads.entities import group_of, groups
from polyseme.runtime.text.offsets import OffsetTable, OffsetUnit
from polyseme.server.inference.predictions.answering import Answered
from polyseme.server.inference.predictions.running import InputInfo
from polyseme.server.inference.predictions.tagging import TaggedTexts
from polyseme.server.wire.v1 import replies as common
from polyseme.v1 import common_pb2
from polyseme.v1 import prediction_service_pb2 as pb


def input_info(one: InputInfo) -> pb.InputInfo:
    """Tell what became of one input."""
    return pb.InputInfo(
        tokens=one.tokens, original_tokens=one.original_tokens, truncated=one.truncated, windows=one.windows
    )


def tagged(texts: Sequence[str], found: TaggedTexts, unit: OffsetUnit) -> list[pb.TaggedText]:
    """Give the entities of each text, with offsets in the unit asked for."""
    places = {group: place for place, group in enumerate(groups(found.labels))}
    messages = []
    for text, one in zip(texts, found.texts, strict=True):
        offset = OffsetTable(text, unit).from_code_points
        entities = [
            pb.Entity(
                span=common_pb2.Span(start=offset(entity.start), end=offset(entity.end)),
                text=text[entity.start : entity.end],
                label=entity.label,
                group=places[group_of(found.labels[entity.label])],
                tokens=entity.tokens,
            )
            for entity in one.entities
        ]
        scores = np.array([entity.score for entity in one.entities], dtype=np.float32)
        messages.append(pb.TaggedText(entities=entities, scores=common.tensor(scores), info=input_info(one.info)))
    return messages


def answered(contexts: Sequence[str], found: Sequence[Answered], unit: OffsetUnit) -> list[pb.Answered]:
    """Give the answers to each question, with offsets in the unit asked for."""
    return [_answered(context, one, unit) for context, one in zip(contexts, found, strict=True)]


def _answered(context: str, one: Answered, unit: OffsetUnit) -> pb.Answered:
    offset = OffsetTable(context, unit).from_code_points
    answers = [
        pb.AnswerSpan(
            span=common_pb2.Span(start=offset(span.start), end=offset(span.end)),
            text=context[span.start : span.end],
            tokens=span.tokens,
        )
        for span in one.spans
    ]
    scores = np.array([span.score for span in one.spans], dtype=np.float32)
    return pb.Answered(answers=answers, scores=common.tensor(scores), info=input_info(one.info))
