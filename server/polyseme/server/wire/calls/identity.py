"""Who a caller is: its token, its certificate, or its address. Callers share the queue; their names are not logged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

import grpc

from polyseme.server.config import ServerConfig
from polyseme.server.security.proxies import TrustedProxies, peer_address, site_of

ServicerContext: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_KNOWN: Final = 4096  # names that are kept, so that not every call works out its caller's anew
_UNKNOWN: Final = "unknown"  # all peers without an address, as those of a Unix socket, are one caller


def identifier(config: ServerConfig) -> Callable[[ServicerContext], str]:
    """Give the function that names the caller of a call: by its token, else its certificate, else its address.

    Raises:
        ConfigError: a trusted proxy is no address or network.
    """
    proxies = TrustedProxies(config.trusted_proxies)

    @lru_cache(_KNOWN)
    def by_peer(peer: str) -> tuple[str, bool]:
        """Name it by its address; and whether that is a proxy's who is believed."""
        address = peer_address(peer)
        return site_of(address) if address else _UNKNOWN, address in proxies

    @lru_cache(_KNOWN)
    def by_proxy(peer: str, forwarded_for: str) -> str:
        address = proxies.caller_of(forwarded_for)
        return site_of(address) if address else by_peer(peer)[0]

    def by_address(context: ServicerContext) -> str:
        peer = context.peer()
        name, is_proxy = by_peer(peer)
        return by_proxy(peer, _metadata(context, "x-forwarded-for")) if is_proxy else name

    def by_certificate(context: ServicerContext) -> str:
        names = context.peer_identities()
        if not names or by_peer(context.peer())[1]:  # a proxy shows its own certificate
            return by_address(context)
        return "certificate " + b" ".join(names).decode(errors="replace")

    def by_token(context: ServicerContext) -> str:
        return _token_name(_metadata(context, "authorization"))

    if config.token_file:
        return by_token
    return by_certificate if config.tls_client_ca else by_address


@lru_cache(_KNOWN)
def _token_name(authorization: str) -> str:
    return "token " + hashlib.sha256(authorization.encode()).hexdigest()[:16]


def _metadata(context: ServicerContext, name: str) -> str:
    """Give the values of a key, joined as HTTP joins them."""
    return ",".join(str(value) for key, value in context.invocation_metadata() or () if key == name)
