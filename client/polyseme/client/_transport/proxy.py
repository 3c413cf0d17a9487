"""The HTTP proxy that gRPC takes from the environment: targets that never go through it, its name in errors. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

ENABLED: Final = "grpc.enable_http_proxy"
# Source: grpc/doc/environment_variables.md; the first that is set counts.
_PROXIES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
_EXCEPTIONS: Final = ("no_grpc_proxy", "no_proxy")
_SCHEME: Final = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds|google-c2p):")


def is_local(target: str) -> bool:
    """Say whether a target is this machine alone: a Unix socket, `localhost`, or addresses of loopback."""
    scheme = _SCHEME.match(target)
    if scheme and scheme[1] in ("unix", "unix-abstract", "vsock"):
        return True
    return all(map(_is_loopback, _hosts(target)))


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


def _hosts(target: str) -> list[str]:
    """Give the hosts of a target, without ports and brackets."""
    scheme = _SCHEME.match(target)
    name = target[scheme.end() :] if scheme else target
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
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _without_password(proxy: str) -> str:
    try:
        parts, port = urlsplit(proxy), urlsplit(proxy).port
    except ValueError:  # it is no URL
        return ""
    return f"{parts.hostname}:{port} " if port else f"{parts.hostname} "
