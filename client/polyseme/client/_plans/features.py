"""Ask a server for the features that a call needs, before the call is sent to one that would neglect them. No I/O.

A server neglects a field of a request that it does not know, and nobody is told. Where that would change the answer, a
server that knows the field announces it with each model; an option that is not set needs nothing.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

from google.protobuf.message import Message

from polyseme.client._plans.defaults import Defaults
from polyseme.client._transport.rpc import Plan
from polyseme.client.errors import UnimplementedError
from polyseme.client.models import Model

_ANNOUNCED: Final = ("text_options.without_prompt",)


def require_features(defaults: Defaults, request: Message, model: str, timeout: float | None) -> Plan[None]:
    """Check that the server knows every field that the request sets.

    Args:
        defaults: of the client, with what the server said of its models.
        request: as it will be sent, or the part of it that all calls share.
        model: the model's name; "": the default one.
        timeout: seconds for the question, which is asked only where something is needed.

    Raises:
        UnimplementedError: it does not announce one of them.
    """
    needed = [field for field in _ANNOUNCED if reduce(getattr, field.split("."), request)]
    if not needed:
        return
    described = defaults.catalog.known(model)
    if described is None or _missing(described, needed):  # it may have been replaced by a newer server since
        described = yield from defaults.catalog.get(model, timeout)
    for field in _missing(described, needed):
        raise neglected(defaults.target, field)


def neglected(target: str, field: str) -> UnimplementedError:
    """Make the error for a field that the server does not announce."""
    message = f"{target}: the server does not announce {field}; it is older than the SDK"
    return UnimplementedError(message, target=target, field=field)


def _missing(model: Model, needed: list[str]) -> list[str]:
    return [field for field in needed if field not in model.features]
