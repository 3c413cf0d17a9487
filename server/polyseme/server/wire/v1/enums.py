"""The enums of the contract, and the server's own values behind them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeVar

from polyseme.artifact import HeadKind, Pooling, Precision, ScoreFunction
from polyseme.runtime.text.offsets import OffsetUnit
from polyseme.runtime.text.tokenizer import Truncate
from polyseme.server.errors import FieldPath, InvalidInputError
from polyseme.server.inference.parts.layers import Combine
from polyseme.server.inference.parts.pooling import Subtokens
from polyseme.server.inference.queries import CompareMode
from polyseme.server.inference.similarity import Metric
from polyseme.server.scheduling import Priority
from polyseme.server.wire.messages.tensors import WireType
from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2, tensor_pb2

K = TypeVar("K")
E = TypeVar("E", bound=Enum | None)

TRUNCATE: Final = {
    common_pb2.TRUNCATE_UNSPECIFIED: Truncate.NONE,
    common_pb2.TRUNCATE_NONE: Truncate.NONE,
    common_pb2.TRUNCATE_END: Truncate.END,
    common_pb2.TRUNCATE_START: Truncate.START,
}
PRIORITY: Final = {
    common_pb2.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    common_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    common_pb2.PRIORITY_BULK: Priority.BULK,
}
WIRE_TYPE: Final = {
    tensor_pb2.DATA_TYPE_UNSPECIFIED: WireType.FLOAT32,
    tensor_pb2.DATA_TYPE_FLOAT32: WireType.FLOAT32,
    tensor_pb2.DATA_TYPE_FLOAT16: WireType.FLOAT16,
    tensor_pb2.DATA_TYPE_BFLOAT16: WireType.BFLOAT16,
    tensor_pb2.DATA_TYPE_INT8: WireType.INT8,
    tensor_pb2.DATA_TYPE_BINARY: WireType.BINARY,
}
DATA_TYPE: Final = {wire: number for number, wire in WIRE_TYPE.items()}
OFFSET_UNIT: Final = {
    common_pb2.OFFSET_UNIT_UNSPECIFIED: OffsetUnit.CODE_POINT,
    common_pb2.OFFSET_UNIT_CODE_POINT: OffsetUnit.CODE_POINT,
    common_pb2.OFFSET_UNIT_UTF8_BYTE: OffsetUnit.UTF8_BYTE,
    common_pb2.OFFSET_UNIT_UTF16_CODE_UNIT: OffsetUnit.UTF16_CODE_UNIT,
}
METRIC: Final = {
    embedding_service_pb2.METRIC_UNSPECIFIED: Metric.COSINE,
    embedding_service_pb2.METRIC_COSINE: Metric.COSINE,
    embedding_service_pb2.METRIC_DOT: Metric.DOT,
    embedding_service_pb2.METRIC_EUCLIDEAN: Metric.EUCLIDEAN,
    embedding_service_pb2.METRIC_MANHATTAN: Metric.MANHATTAN,
}
METRIC_NUMBER: Final = {metric: number for number, metric in METRIC.items()}
MODE: Final = {
    embedding_service_pb2.SIMILARITY_MODE_UNSPECIFIED: CompareMode.MATRIX,
    embedding_service_pb2.SIMILARITY_MODE_MATRIX: CompareMode.MATRIX,
    embedding_service_pb2.SIMILARITY_MODE_PAIRWISE: CompareMode.PAIRWISE,
    embedding_service_pb2.SIMILARITY_MODE_TOP_K: CompareMode.TOP_K,
}
COMBINE: Final = {
    common_pb2.COMBINE_UNSPECIFIED: None,
    common_pb2.COMBINE_SUM: Combine.SUM,
    common_pb2.COMBINE_MEAN: Combine.MEAN,
    common_pb2.COMBINE_CONCAT: Combine.CONCAT,
    common_pb2.COMBINE_NONE: Combine.NONE,
}
SUBTOKENS: Final = {
    common_pb2.SUBTOKEN_POOLING_UNSPECIFIED: Subtokens.MEAN,
    common_pb2.SUBTOKEN_POOLING_FIRST: Subtokens.FIRST,
    common_pb2.SUBTOKEN_POOLING_LAST: Subtokens.LAST,
    common_pb2.SUBTOKEN_POOLING_FIRST_LAST: Subtokens.FIRST_LAST,
    common_pb2.SUBTOKEN_POOLING_MEAN: Subtokens.MEAN,
}
POOLING: Final = {
    Pooling.CLS: model_service_pb2.POOLING_CLS,
    Pooling.MEAN: model_service_pb2.POOLING_MEAN,
    Pooling.MAX: model_service_pb2.POOLING_MAX,
    Pooling.MEAN_SQRT_LEN: model_service_pb2.POOLING_MEAN_SQRT_LEN,
    Pooling.LAST_TOKEN: model_service_pb2.POOLING_LAST_TOKEN,
}
HEAD_KIND: Final = {
    HeadKind.CLASSIFICATION: model_service_pb2.HEAD_KIND_CLASSIFICATION,
    HeadKind.TOKEN_CLASSIFICATION: model_service_pb2.HEAD_KIND_TOKEN_CLASSIFICATION,
    HeadKind.QUESTION_ANSWERING: model_service_pb2.HEAD_KIND_QUESTION_ANSWERING,
}
SCORE_FUNCTION: Final = {
    ScoreFunction.SOFTMAX: model_service_pb2.SCORE_FUNCTION_SOFTMAX,
    ScoreFunction.SIGMOID: model_service_pb2.SCORE_FUNCTION_SIGMOID,
    ScoreFunction.IDENTITY: model_service_pb2.SCORE_FUNCTION_IDENTITY,
}
PRECISION: Final = {
    Precision.FP32: tensor_pb2.DATA_TYPE_FLOAT32,
    Precision.FP16: tensor_pb2.DATA_TYPE_FLOAT16,
}


def known(members: Mapping[K, E], number: K, path: FieldPath) -> E:
    """Translate a number of an enum to the server's own value.

    Args:
        members: one of the tables above.
        number: the number in the request.
        path: the field that holds it.

    Raises:
        InvalidInputError: the contract has no such number.
    """
    try:
        return members[number]
    except KeyError:
        raise InvalidInputError(f": got {number}, which the contract does not have", path) from None
