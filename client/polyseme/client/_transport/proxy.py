"""The HTTP proxy that gRPC takes from the environment: targets that never go through it, its name in errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

ENABLED: Final = "grpc.enable_http_proxy"
# Source: grpc/doc/environment_variables.md; the first that is set counts.
_PROXIES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
_EXCEPTIONS: Final = ("no_grpc_proxy", "no_proxy")
_SOCKETS: Final = ("unix", "unix-abstract", "vsock")
_SCHEMES: Final = (*_SOCKETS, "dns", "ipv4", "ipv6", "xds", "google-c2p")


def is_local(target: str) -> bool:
    """Say whether a target is this machine alone: a Unix socket, `localhost`, or addresses of loopback."""
    scheme, _ = _split_scheme(target)
    return scheme in _SOCKETS or all(map(_is_loopback, _hosts(target)))


def proxy_of(target: str, options: Sequence[tuple[str, Any]], environment: Mapping[str, str]) -> str:
    """Name the proxy that calls go through, and the variable that names it; "" where there is none."""
    if is_local(target) or not dict(options).get(ENABLED, 1):
        return ""
    variable = next((name for name in _PROXIES if environment.get(name)), None)
    excepted = next((environment[name] for name in _EXCEPTIONS if environment.get(name)), "")
    ends = [end.strip() for end in excepted.split(",") if end.strip()]
    if variable is None or any(host.endswith(end) for host in _hosts(target) for end in ends):
        return ""
    return f"the proxy {_without_password(environment[variable])}of {variable}"


def _split_scheme(target: str) -> tuple[str, str]:
    """Give the scheme of a target, "" where it has none that gRPC knows, and the rest of it."""
    scheme, colon, rest = target.partition(":")
    return (scheme, rest) if colon and scheme in _SCHEMES else ("", target)


def _hosts(target: str) -> list[str]:
    """Give the hosts of a target, without ports and brackets."""
    _, name = _split_scheme(target)
    if name.startswith("//"):
        name = name[2:].partition("/")[2]
    return [_without_port(address) for address in name.split(",")]


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address if address.count(":") > 1 else address.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return True
    import ipaddress  # on demand: localhost and sockets need none

    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _without_password(proxy: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts, port = urlsplit(proxy), urlsplit(proxy).port
    except ValueError:  # it is no URL
        return ""
    return f"{parts.hostname}:{port} " if port else f"{parts.hostname} "
