"""Calls that came by way of a proxy, as their headers tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import grpc

# Of any proxy (RFC 7239; RFC 9110, 7.6.3; and what was usual before), and of Envoy, which may add no other.
_HEADERS: Final = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"})
_ENVOY: Final = "x-envoy-"


def came_by_proxy(metadata: Iterable[tuple[str, str | bytes]] | None) -> bool:
    """Tell whether a proxy passed this call on; it may pass the next one on to another server."""
    return any(key in _HEADERS or key.startswith(_ENVOY) for key, _ in metadata or ())


class ForProxies(grpc.GenericRpcHandler):
    """Has a handler answer calls that came by way of a proxy, and leaves all others to those that follow it."""

    def __init__(self, handler: grpc.GenericRpcHandler) -> None:
        self._handler = handler

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Give the handler of a call that came by way of a proxy; None: another handler may take the call."""
        if came_by_proxy(handler_call_details.invocation_metadata):
            return self._handler.service(handler_call_details)
        return None
