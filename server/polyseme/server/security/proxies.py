"""The proxies that are trusted, and the addresses of callers behind them. Pure."""

from __future__ import annotations

import ipaddress
from typing import Final, TypeAlias
from urllib.parse import unquote

from polyseme.server.errors import ConfigError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV6_SITE: Final = 64  # bits of the network whose addresses one host has all to itself


class TrustedProxies:
    """The proxies that are trusted to say who their callers are; there may be none."""

    def __init__(self, listed: str, *, flag: str = "--trusted-proxies") -> None:
        """Take addresses and networks.

        Args:
            listed: separated by commas; empty: none.
            flag: what listed them, for messages.

        Raises:
            ConfigError: one is neither an address nor a network.
        """
        try:
            self._networks = [ipaddress.ip_network(one.strip()) for one in listed.split(",") if one.strip()]
        except ValueError as error:
            raise ConfigError(f"{flag}: {error}; addresses or networks, as 10.0.0.7 or 10.1.0.0/16") from error

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._networks)

    def __contains__(self, address: Address | None) -> bool:
        """Tell whether an address is that of a trusted proxy."""
        return address is not None and any(address in network for network in self._networks)

    def caller_of(self, forwarded_for: str) -> Address | None:
        """Give the address of the caller that `x-forwarded-for` names; None: it names none.

        Each proxy appends the address that it was called from. So only the addresses behind the last untrusted one are
        sure: the last untrusted one is the caller, and what stands before it may be made up.
        """
        for hop in reversed(forwarded_for.split(",")):
            address = _address(hop.strip())
            if address not in self:
                return address
        return None


def peer_address(peer: str) -> Address | None:
    """Give the address of a peer that gRPC calls `ipv4:10.0.0.7:50123` or `ipv6:%5B::1%5D:50123`; None: it has none."""
    kind, _, rest = peer.partition(":")
    return _address(unquote(rest)) if kind in ("ipv4", "ipv6") else None


def site_of(address: Address) -> str:
    """Name the site of an address: the address itself, or for IPv6 the network that one host has to itself."""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_SITE), strict=False))
    return str(address)


def _address(text: str) -> Address | None:
    """Read an address, with a port or without."""
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
