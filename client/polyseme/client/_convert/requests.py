"""Convert arguments to request messages; a bad argument is an InvalidArgumentError before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from polyseme.client._arguments.flags import flag, flag_or_none, name_or_empty
from polyseme.client._arguments.integers import unsigned
from polyseme.client._arguments.layers import LayerChoice, choose_layers
from polyseme.client._convert.enums import enum_value
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.models import model_ref
from polyseme.client.options import (
    CallOptions,
    EmbedOptions,
    EmbedPassagesOptions,
    EmbedStreamOptions,
    EmbedTokensOptions,
    EmbedWordsOptions,
    SimilarityOptions,
    TextOptions,
)
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2

MODEL_METRIC: Final = "model"
"""The metric that stands for the model's own."""
PrioritizedRequest: TypeAlias = (
    service_pb2.EmbedRequest | service_pb2.EmbedTokensRequest | service_pb2.EmbedSpansRequest
)
PrioritizedOptions: TypeAlias = (
    EmbedOptions
    | EmbedPassagesOptions
    | EmbedStreamOptions
    | EmbedTokensOptions
    | EmbedWordsOptions
    | SimilarityOptions
)
_ENDLESS_S: Final = 1e9  # 32 years; from 1e10 on gRPC's clock overflows, and such a call would end at once


def check_names(options: Mapping[str, Any], kind: type[CallOptions]) -> None:
    """Refuse options that the call does not take, as Python does for any other argument.

    Raises:
        TypeError: there is such an option; the message names the first.
    """
    valid = kind.__annotations__  # of a TypedDict: those of its bases too
    unknown = [name for name in options if name not in valid]
    if unknown:
        raise TypeError(f"got an unexpected keyword argument {unknown[0]!r}; valid: {', '.join(valid)}")


def embed_request(options: EmbedOptions, *, model: str, dtype: str) -> service_pb2.EmbedRequest:
    """Build an EmbedRequest without its texts."""
    check_names(options, EmbedOptions)
    return _embed_request(options, model=model, dtype=dtype)


def embed_stream_request(options: EmbedStreamOptions, *, model: str, dtype: str) -> service_pb2.EmbedRequest:
    """Build the fields that all requests of a stream share: an EmbedRequest without texts."""
    check_names(options, EmbedStreamOptions)
    request = _embed_request(options, model=model, dtype=dtype)
    make_bulk(request)
    return request


def _embed_request(options: EmbedOptions | EmbedStreamOptions, *, model: str, dtype: str) -> service_pb2.EmbedRequest:
    dimensions = options.get("dimensions")
    return service_pb2.EmbedRequest(
        model=model_ref(model),
        text_options=_text_options(options),
        priority=_priority(options),
        normalize=flag_or_none(options.get("normalize"), "normalize"),
        dimensions=None if dimensions is None else unsigned(dimensions, "dimensions", least=1),
        dtype=enum_value(tensor_pb2.DataType, "DATA_TYPE_", "dtype", dtype),
    )


def tokenize_request(options: TextOptions, *, model: str, offset_unit: str) -> service_pb2.TokenizeRequest:
    """Build a TokenizeRequest without its texts."""
    check_names(options, TextOptions)
    return service_pb2.TokenizeRequest(
        model=model_ref(model),
        text_options=_text_options(options),
        offset_unit=_offset_unit(offset_unit),
    )


def similarity_request(
    options: SimilarityOptions, *, model: str, mode: service_pb2.SimilarityMode.ValueType, top_k: int
) -> service_pb2.SimilarityRequest:
    """Build a SimilarityRequest without its operands; the metric "model" is left out of it."""
    check_names(options, SimilarityOptions)
    metric = options.get("metric", "cosine")
    unset = service_pb2.METRIC_UNSPECIFIED
    return service_pb2.SimilarityRequest(
        model=model_ref(model),
        text_options=_text_options(options),
        priority=_priority(options),
        metric=unset if metric == MODEL_METRIC else metric_value(metric),
        mode=mode,
        top_k=top_k,
        layers=_operand_layers(options),
        subtokens=_subtokens(options.get("subtokens", "mean")),
        offset_unit=_offset_unit(options.get("offset_unit", "code_point")),
    )


def metric_value(name: str) -> service_pb2.Metric.ValueType:
    """Find the number of a metric.

    Raises:
        InvalidArgumentError: the contract has no such metric.
    """
    return enum_value(service_pb2.Metric, "METRIC_", "metric", name, MODEL_METRIC)


def tokens_request(options: EmbedTokensOptions, *, model: str, layers: LayerChoice) -> service_pb2.EmbedTokensRequest:
    """Build an EmbedTokensRequest without its texts."""
    check_names(options, EmbedTokensOptions)
    return service_pb2.EmbedTokensRequest(
        model=model_ref(model),
        text_options=_text_options(options),
        priority=_priority(options),
        layers=layers.message,
        dtype=_float_dtype(options.get("dtype", "float32")),
        offset_unit=_offset_unit(options.get("offset_unit", "code_point")),
        include_special_tokens=flag(options.get("include_special_tokens"), "include_special_tokens"),
    )


def spans_request(options: EmbedWordsOptions, *, model: str, layers: LayerChoice) -> service_pb2.EmbedSpansRequest:
    """Build an EmbedSpansRequest without its inputs."""
    check_names(options, EmbedWordsOptions)
    return service_pb2.EmbedSpansRequest(
        model=model_ref(model),
        text_options=_text_options(options),
        priority=_priority(options),
        layers=layers.message,
        subtokens=_subtokens(options.get("subtokens", "mean")),
        offset_unit=_offset_unit(options.get("offset_unit", "code_point")),
        normalize=flag(options.get("normalize"), "normalize"),
        dtype=_float_dtype(options.get("dtype", "float32")),
    )


def passages_request(options: EmbedPassagesOptions, *, model: str) -> service_pb2.EmbedSpansRequest:
    """Build an EmbedSpansRequest without its inputs, and without saying whether vectors are scaled."""
    check_names(options, EmbedPassagesOptions)
    return service_pb2.EmbedSpansRequest(
        model=model_ref(model),
        text_options=_text_options(options),
        priority=_priority(options),
        dtype=_float_dtype(options.get("dtype", "float32")),
    )


def _operand_layers(options: SimilarityOptions) -> common_pb2.LayerSelection | None:
    """Convert the layers, if any were passed: they are for operands that are parts of texts."""
    if "layers" not in options and "combine" not in options:
        return None
    return choose_layers(options.get("layers", (-1,)), options.get("combine", "sum")).message


def _subtokens(name: str) -> common_pb2.SubtokenPooling.ValueType:
    return enum_value(common_pb2.SubtokenPooling, "SUBTOKEN_POOLING_", "subtokens", name)


def _offset_unit(name: str) -> common_pb2.OffsetUnit.ValueType:
    return enum_value(common_pb2.OffsetUnit, "OFFSET_UNIT_", "offset_unit", name)


def _float_dtype(name: str) -> tensor_pb2.DataType.ValueType:
    if name == "binary":
        raise InvalidArgumentError("dtype is 'binary'; valid: float32, float16, bfloat16, int8", field="dtype")
    return enum_value(tensor_pb2.DataType, "DATA_TYPE_", "dtype", name)


def _text_options(options: TextOptions | EmbedPassagesOptions) -> common_pb2.TextOptions:
    prompt_name = name_or_empty(options.get("prompt_name"), "prompt_name")
    without_prompt = flag(options.get("without_prompt"), "without_prompt")
    if without_prompt and prompt_name:
        raise InvalidArgumentError(
            "without_prompt and prompt_name are both set; at most one may be", field="without_prompt"
        )
    return common_pb2.TextOptions(
        truncate=enum_value(common_pb2.Truncate, "TRUNCATE_", "truncate", options.get("truncate", "none")),
        prompt_name=prompt_name,
        without_prompt=without_prompt,
        add_special_tokens=flag_or_none(options.get("add_special_tokens"), "add_special_tokens"),
    )


def make_bulk(request: PrioritizedRequest) -> None:
    """Send one of several requests as bulk work, unless the caller has set a priority."""
    if request.priority == common_pb2.PRIORITY_UNSPECIFIED:
        request.priority = common_pb2.PRIORITY_BULK


def _priority(options: PrioritizedOptions) -> common_pb2.Priority.ValueType:
    """Convert the priority; unset where the caller set none, which a server takes for interactive."""
    if "priority" not in options:
        return common_pb2.PRIORITY_UNSPECIFIED
    return enum_value(common_pb2.Priority, "PRIORITY_", "priority", options["priority"])


def checked_timeout(timeout: float | None, default: float) -> float | None:
    """Give a call's deadline in seconds as grpc takes it; None: without end.

    Raises:
        InvalidArgumentError: not a number above 0.
    """
    seconds = default if timeout is None else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | np.number):
        got = type(seconds).__name__
        raise InvalidArgumentError(f"timeout must be a number of seconds above 0, got {got}", field="timeout")
    if not seconds > 0:
        raise InvalidArgumentError(f"timeout is {seconds}; a number of seconds above 0 is valid", field="timeout")
    return None if seconds > _ENDLESS_S else float(seconds)
