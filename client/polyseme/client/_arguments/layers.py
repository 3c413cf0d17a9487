"""Check layers and how to join them, and convert them for the contract."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final, NamedTuple

from polyseme.client._arguments.integers import as_int
from polyseme.client._arguments.texts import is_several
from polyseme.client._convert.enums import enum_value
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.options import Combine, Layers
from polyseme.v1 import common_pb2

_MAX_LAYERS: Final = 64  # LayerSelection.layers
_STATIC: Final = "static"


class LayerChoice(NamedTuple):
    """The layers of a call.

    Attributes:
        message: the layers as they are sent.
        separate: number of layers that vectors keep on an axis of their own; 1: no such axis.
        width_factor: elements per token over all layers, in units of the hidden size.
    """

    message: common_pb2.LayerSelection
    separate: int
    width_factor: int


def choose_layers(layers: Layers, combine: Combine) -> LayerChoice:
    """Check and convert the layers of a call.

    Raises:
        InvalidArgumentError: there is no layer, there are too many, or one is no layer.
    """
    listed = _listed(layers)
    static = bool(listed) and listed[0] == _STATIC
    numbers = [_number(index, layer) for index, layer in enumerate(listed) if not (static and index == 0)]
    if not listed or len(numbers) > _MAX_LAYERS:
        raise InvalidArgumentError(f"layers has {len(listed)} entries; 1 to {_MAX_LAYERS} are valid", field="layers")
    message = common_pb2.LayerSelection(
        layers=numbers,
        static_embedding=static,
        combine=enum_value(common_pb2.Combine, "COMBINE_", "combine", combine),
    )
    return LayerChoice(
        message=message,
        separate=len(listed) if combine == "none" else 1,
        width_factor=len(listed) if combine in ("none", "concat") else 1,
    )


def _listed(layers: object) -> list[object]:
    if isinstance(layers, str) or as_int(layers) is not None:
        return [layers]
    if is_several(layers) and not isinstance(layers, bytes | bytearray | Set | Mapping):
        return list(layers)
    got = type(layers).__name__
    raise InvalidArgumentError(f"layers must be an int, 'static' or a sequence of them, got {got}", field="layers")


def _number(index: int, layer: object) -> int:
    field = f"layers[{index}]"
    if layer == _STATIC:
        raise InvalidArgumentError(f"{field} is 'static'; it is valid as the first entry alone, once", field=field)
    number = as_int(layer)
    if number is None:
        raise InvalidArgumentError(f"{field} must be an int or 'static', got {type(layer).__name__}", field=field)
    if not -(1 << 31) <= number < 1 << 31:
        raise InvalidArgumentError(f"{field} is no layer; no model has that many", field=field)
    return number
