"""Requests and replies of PredictionService; a reply that does not fit its request is an InvalidReplyError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.client._arguments.flags import name_or_empty
from polyseme.client._arguments.integers import unsigned
from polyseme.client._convert.enums import enum_value
from polyseme.client._convert.offsets import check_offsets
from polyseme.client.errors import InvalidReplyError
from polyseme.client.models import Head, model_ref
from polyseme.client.options import PredictionOptions
from polyseme.client.predictions import Answer, Answered, Classification, Entity, InputInfo, Ranked, TaggedText
from polyseme.client.tensor import decode_tensor
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import prediction_service_pb2 as pb


def prediction_fields(options: PredictionOptions, model: str) -> dict[str, Any]:
    """Convert the options that all calls have."""
    overlap = options.get("overlap")
    fields: dict[str, Any] = {
        "model": model_ref(model),
        "head": name_or_empty(options.get("head"), "head"),
        "long_texts": enum_value(pb.LongTexts, "LONG_TEXTS_", "long_texts", options.get("long_texts", "refuse")),
        "overlap": None if overlap is None else unsigned(overlap, "overlap", least=0),
    }
    if "priority" in options:
        fields["priority"] = enum_value(common_pb2.Priority, "PRIORITY_", "priority", options["priority"])
    return fields


def offset_unit(options: Mapping[str, Any]) -> common_pb2.OffsetUnit.ValueType:
    """Convert the unit of offsets."""
    name = options.get("offset_unit", "code_point")
    return enum_value(common_pb2.OffsetUnit, "OFFSET_UNIT_", "offset_unit", name)


def classifications(message: pb.ClassifyResponse, count: int, head: Head) -> list[Classification]:
    """Convert the reply to so many inputs.

    Raises:
        InvalidReplyError: other numbers of inputs or of labels.
    """
    scores = _scores(message.scores, (count, len(head.labels)))
    infos = _infos(message.inputs, count)
    return [
        Classification(labels=head.labels, scores=row.copy(), info=info)
        for row, info in zip(scores, infos, strict=True)
    ]


def tagged_texts(message: pb.TagTokensResponse, lengths: Sequence[int], head: Head) -> list[TaggedText]:
    """Convert the reply to texts of these lengths, in the unit of the offsets.

    Raises:
        InvalidReplyError: another number of texts or scores, a label that is none, offsets beyond a text.
    """
    if len(message.texts) != len(lengths):
        raise InvalidReplyError(f"reply to {len(lengths)} texts has {len(message.texts)}")
    found = []
    for text, length in zip(message.texts, lengths, strict=True):
        scores = _scores(text.scores, (len(text.entities),))
        check_offsets(((one.span.start, one.span.end) for one in text.entities), length)
        for one in text.entities:
            if one.label >= len(head.labels) or one.group >= len(head.groups):
                raise InvalidReplyError(f"reply has label {one.label} of {len(head.labels)}")
        entities = tuple(
            Entity(
                text=one.text,
                start=one.span.start,
                end=one.span.end,
                label=head.labels[one.label],
                group=head.groups[one.group],
                score=float(score),
                tokens=tuple(one.tokens),
            )
            for one, score in zip(text.entities, scores, strict=True)
        )
        found.append(TaggedText(entities=entities, info=info_from(text.info)))
    return found


def answered(message: pb.AnswerResponse, lengths: Sequence[int]) -> list[Answered]:
    """Convert the reply to questions about contexts of these lengths, in the unit of the offsets.

    Raises:
        InvalidReplyError: another number of questions or scores, offsets beyond a context.
    """
    if len(message.questions) != len(lengths):
        raise InvalidReplyError(f"reply to {len(lengths)} questions has {len(message.questions)}")
    nones, found = _scores(message.none_scores, (len(lengths),)), []
    for one, none, length in zip(message.questions, nones, lengths, strict=True):
        scores = _scores(one.scores, (len(one.answers),))
        check_offsets(((span.span.start, span.span.end) for span in one.answers), length)
        answers = tuple(
            Answer(
                text=span.text,
                start=span.span.start,
                end=span.span.end,
                score=float(score),
                tokens=tuple(span.tokens),
            )
            for span, score in zip(one.answers, scores, strict=True)
        )
        found.append(Answered(answers=answers, none_score=float(none), info=info_from(one.info)))
    return found


def ranked(message: pb.RerankResponse, texts: Sequence[str], count: int) -> list[Ranked]:
    """Convert the reply of so many of some texts.

    Raises:
        InvalidReplyError: another number of texts or scores, a text that is none, or one twice.
    """
    scores, infos = _scores(message.scores, (count,)), _infos(message.inputs, len(texts))
    indices = list(message.indices)
    if len(set(indices)) != count or len(indices) != count or any(index >= len(texts) for index in indices):
        raise InvalidReplyError(f"reply has {len(indices)} indices into {len(texts)} texts; expected {count}")
    return [
        Ranked(index=index, text=texts[index], score=float(score), info=infos[index])
        for index, score in zip(indices, scores, strict=True)
    ]


def info_from(message: pb.InputInfo) -> InputInfo:
    """Convert token counts from the wire."""
    return InputInfo(
        tokens=message.tokens,
        original_tokens=message.original_tokens,
        truncated=message.truncated,
        windows=message.windows,
    )


def _infos(messages: Sequence[pb.InputInfo], count: int) -> list[InputInfo]:
    if len(messages) != count:
        raise InvalidReplyError(f"reply to {count} inputs tells of {len(messages)}")
    return [info_from(message) for message in messages]


def _scores(tensor: tensor_pb2.Tensor, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    values = decode_tensor(tensor)
    if tensor.dtype != tensor_pb2.DATA_TYPE_FLOAT32 or values.shape != shape or not np.isfinite(values).all():
        raise InvalidReplyError(f"reply has scores of shape {list(tensor.shape)}; expected finite {list(shape)}")
    return values
