"""Between protobuf messages and the server's own values: the only file of the server that builds replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Pooling, Precision
from polyseme.runtime.text.offsets import OffsetTable, OffsetUnit
from polyseme.runtime.text.tokenizer import TokenIds, TokenizedText, Truncate
from polyseme.server.config import ServerConfig
from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.layers import Combine, LayerMix, layer_mix
from polyseme.server.inference.pooling import Subtokens
from polyseme.server.inference.similarity import Metric
from polyseme.server.inference.spans import LocatedSpan, SpanQuery, WordQuery
from polyseme.server.models.served import ServedModel, TextOptions
from polyseme.server.observe.stopwatch import Stopwatch
from polyseme.server.scheduling import Lane
from polyseme.server.wire.tensors import WireType, encode
from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2, tensor_pb2

K = TypeVar("K")
E = TypeVar("E", bound=Enum | None)

_TRUNCATE = {
    common_pb2.TRUNCATE_UNSPECIFIED: Truncate.NONE,
    common_pb2.TRUNCATE_NONE: Truncate.NONE,
    common_pb2.TRUNCATE_END: Truncate.END,
    common_pb2.TRUNCATE_START: Truncate.START,
}
_LANE = {
    common_pb2.PRIORITY_UNSPECIFIED: Lane.INTERACTIVE,
    common_pb2.PRIORITY_INTERACTIVE: Lane.INTERACTIVE,
    common_pb2.PRIORITY_BULK: Lane.BULK,
}
_WIRE_TYPE = {
    tensor_pb2.DATA_TYPE_UNSPECIFIED: WireType.FLOAT32,
    tensor_pb2.DATA_TYPE_FLOAT32: WireType.FLOAT32,
    tensor_pb2.DATA_TYPE_FLOAT16: WireType.FLOAT16,
    tensor_pb2.DATA_TYPE_BFLOAT16: WireType.BFLOAT16,
    tensor_pb2.DATA_TYPE_INT8: WireType.INT8,
    tensor_pb2.DATA_TYPE_BINARY: WireType.BINARY,
}
_DATA_TYPE = {wire: number for number, wire in _WIRE_TYPE.items()}
_OFFSET_UNIT = {
    common_pb2.OFFSET_UNIT_UNSPECIFIED: OffsetUnit.CODE_POINT,
    common_pb2.OFFSET_UNIT_CODE_POINT: OffsetUnit.CODE_POINT,
    common_pb2.OFFSET_UNIT_UTF8_BYTE: OffsetUnit.UTF8_BYTE,
    common_pb2.OFFSET_UNIT_UTF16_CODE_UNIT: OffsetUnit.UTF16_CODE_UNIT,
}
_METRIC = {
    embedding_service_pb2.METRIC_UNSPECIFIED: Metric.COSINE,
    embedding_service_pb2.METRIC_COSINE: Metric.COSINE,
    embedding_service_pb2.METRIC_DOT: Metric.DOT,
    embedding_service_pb2.METRIC_EUCLIDEAN: Metric.EUCLIDEAN,
}
_COMBINE = {
    common_pb2.COMBINE_UNSPECIFIED: None,
    common_pb2.COMBINE_SUM: Combine.SUM,
    common_pb2.COMBINE_MEAN: Combine.MEAN,
    common_pb2.COMBINE_CONCAT: Combine.CONCAT,
    common_pb2.COMBINE_NONE: Combine.NONE,
}
_SUBTOKENS = {
    common_pb2.SUBTOKEN_POOLING_UNSPECIFIED: Subtokens.MEAN,
    common_pb2.SUBTOKEN_POOLING_FIRST: Subtokens.FIRST,
    common_pb2.SUBTOKEN_POOLING_LAST: Subtokens.LAST,
    common_pb2.SUBTOKEN_POOLING_FIRST_LAST: Subtokens.FIRST_LAST,
    common_pb2.SUBTOKEN_POOLING_MEAN: Subtokens.MEAN,
}
_POOLING = {
    Pooling.CLS: model_service_pb2.POOLING_CLS,
    Pooling.MEAN: model_service_pb2.POOLING_MEAN,
    Pooling.MAX: model_service_pb2.POOLING_MAX,
    Pooling.MEAN_SQRT_LEN: model_service_pb2.POOLING_MEAN_SQRT_LEN,
    Pooling.LAST_TOKEN: model_service_pb2.POOLING_LAST_TOKEN,
}
_PRECISION = {Precision.FP32: tensor_pb2.DATA_TYPE_FLOAT32, Precision.FP16: tensor_pb2.DATA_TYPE_FLOAT16}


def text_options(message: common_pb2.TextOptions) -> TextOptions:
    """How the texts of a request become tokens."""
    return TextOptions(
        truncate=_known(_TRUNCATE, message.truncate, "text_options.truncate"),
        add_special_tokens=message.add_special_tokens if message.HasField("add_special_tokens") else True,
        prompt_name=message.prompt_name,
    )


def lane(priority: common_pb2.Priority.ValueType) -> Lane:
    """Which line a request waits in."""
    return _known(_LANE, priority, "priority")


def wire_type(dtype: tensor_pb2.DataType.ValueType) -> WireType:
    """The element type that a request asks for."""
    return _known(_WIRE_TYPE, dtype, "dtype")


def offset_unit(unit: common_pb2.OffsetUnit.ValueType) -> OffsetUnit:
    """The offset unit that a request asks for."""
    return _known(_OFFSET_UNIT, unit, "offset_unit")


def metric(number: embedding_service_pb2.Metric.ValueType) -> Metric:
    """The similarity that a request asks for."""
    return _known(_METRIC, number, "metric")


def combine(number: common_pb2.Combine.ValueType, default: Combine) -> Combine:
    """How a request wants layers joined."""
    return _known(_COMBINE, number, "layers.combine") or default


def subtokens(number: common_pb2.SubtokenPooling.ValueType) -> Subtokens:
    """How a request wants the tokens of a span joined."""
    return _known(_SUBTOKENS, number, "subtokens")


def layers(message: common_pb2.LayerSelection, default: Combine, num_hidden_layers: int) -> LayerMix:
    """The layers that a request asks for.

    Raises:
        InvalidInputError: a layer that the model has not, or too many.
    """
    joined = combine(message.combine, default)
    return layer_mix(
        message.layers, static=message.static_embedding, combine=joined, num_hidden_layers=num_hidden_layers
    )


def span(message: common_pb2.Span) -> SpanQuery:
    """A span that a request asks for."""
    return SpanQuery(start=message.start, end=message.end)


def word(message: common_pb2.WordQuery) -> WordQuery:
    """A word that a request looks for."""
    return WordQuery(
        text=message.text,
        occurrence=message.occurrence,
        partial_word=message.partial_word,
        ignore_case=message.ignore_case,
    )


def embedded_spans(
    text: str, located: Sequence[LocatedSpan], unit: OffsetUnit
) -> list[embedding_service_pb2.EmbeddedSpan]:
    """What was found in a text, with offsets in the unit asked for."""
    offset = OffsetTable(text, unit).from_code_points
    return [
        embedding_service_pb2.EmbeddedSpan(
            span=common_pb2.Span(start=offset(one.start), end=offset(one.end)),
            text=text[one.start : one.end],
            tokens=one.tokens,
            query=one.query,
            occurrence=one.occurrence,
            truncated=one.truncated,
        )
        for one in located
    ]


def tensor(vectors: npt.NDArray[np.float32], dtype: WireType = WireType.FLOAT32) -> tensor_pb2.Tensor:
    """Vectors [..., D] as a Tensor."""
    message = tensor_pb2.Tensor()
    fill_tensor(message, vectors, dtype)
    return message


def fill_tensor(message: tensor_pb2.Tensor, vectors: npt.NDArray[np.float32], dtype: WireType) -> None:
    """Put vectors [..., D] into a Tensor that is part of a message."""
    message.dtype = _DATA_TYPE[dtype]
    message.shape[:] = vectors.shape
    message.data, message.scales = encode(vectors, dtype)


def text_infos(encoded: Sequence[TokenIds]) -> list[common_pb2.TextInfo]:
    """What became of each text."""
    return [text_info(text) for text in encoded]


def text_info(text: TokenIds) -> common_pb2.TextInfo:
    """What became of one text."""
    return common_pb2.TextInfo(tokens=len(text.ids), original_tokens=text.original_tokens, truncated=text.truncated)


def timings(watch: Stopwatch, total_s: float) -> common_pb2.Timings:
    """Where the time of a call went."""
    return common_pb2.Timings(
        tokenize_us=round(watch.tokenize_s * 1e6),
        queue_us=round(watch.queue_s * 1e6),
        run_us=round(watch.run_s * 1e6),
        total_us=round(total_s * 1e6),
    )


def tokens(
    text: str, tokenized: TokenizedText, unit: OffsetUnit, keep: Sequence[int] | None = None
) -> common_pb2.Tokens:
    """The tokens of a text, with offsets in the unit asked for; all of them, or those to keep."""
    offset = OffsetTable(text, unit).from_code_points
    kept = range(len(tokenized.ids)) if keep is None else keep
    return common_pb2.Tokens(
        ids=[tokenized.ids[i] for i in kept],
        texts=[tokenized.tokens[i] for i in kept],
        starts=[offset(tokenized.offsets[i][0]) for i in kept],
        ends=[offset(tokenized.offsets[i][1]) for i in kept],
        word_ids=[tokenized.word_ids[i] for i in kept],
        special=[tokenized.special[i] for i in kept],
    )


def identity(model: ServedModel) -> common_pb2.ModelIdentity:
    """Which model answers."""
    return common_pb2.ModelIdentity(
        name=model.manifest.name,
        version=model.version,
        precision=_PRECISION[model.device.precision],
        execution_provider=model.device.execution_provider,
    )


def model(served: ServedModel, config: ServerConfig, *, is_default: bool) -> model_service_pb2.Model:
    """What a model is, and what it accepts."""
    spec, manifest = served.spec, served.manifest
    return model_service_pb2.Model(
        identity=identity(served),
        is_default=is_default,
        architecture=spec.architecture,
        hidden_size=spec.hidden_size,
        num_hidden_layers=spec.num_hidden_layers,
        num_attention_heads=spec.num_attention_heads,
        vocab_size=spec.vocab_size,
        dimensions=spec.dimensions,
        max_tokens=spec.max_tokens,
        pooling=_POOLING[spec.pooling],
        normalizes=spec.normalizes,
        prompts=spec.prompts,
        default_prompt_name=spec.default_prompt_name,
        limits=model_service_pb2.Limits(
            max_texts=config.max_texts,
            max_text_bytes=config.max_text_bytes,
            max_message_bytes=config.max_message_bytes,
            max_spans=config.max_spans,
        ),
        source=manifest.source.spec,
        artifact_sha256=manifest.sha256,
        weight_bytes=manifest.files[manifest.precisions[served.device.precision].weights].size,
    )


def _known(members: Mapping[K, E], number: K, field: str) -> E:
    try:
        return members[number]
    except KeyError:
        raise InvalidInputError(f"{field}: got {number}, which the contract does not have") from None
