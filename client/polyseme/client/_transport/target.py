"""Check that gRPC understands a target; else say what to write instead. Pure."""

from __future__ import annotations

import re
from typing import Final

from polyseme.client.errors import InvalidArgumentError

# Source: grpc/doc/naming.md, and the resolvers of gRPC core.
_GRPC_NAME: Final = r"(?s:(?:dns|ipv4|ipv6|unix|unix-abstract|vsock):.|(?:xds|google-c2p):///.)"
_HOST_AND_PORT: Final = r"(?:[^\s:/@\[\]]+|\[[0-9A-Fa-f:.%\w]+\]):(?P<port>[0-9]{1,5})"
_MAX_PORT: Final = 65_535


def check_target(target: object) -> None:
    """Check the form of a target.

    Raises:
        InvalidArgumentError: gRPC has no such form; it would look the target up as a name, in vain.
    """
    if isinstance(target, str):
        if re.match(_GRPC_NAME, target):
            return
        found = re.fullmatch(_HOST_AND_PORT, target)
        if found and 1 <= int(found["port"]) <= _MAX_PORT:
            return
    raise InvalidArgumentError(f"target is {_shown(target)}; {_hint(target)}", field="target")


def _shown(target: object) -> str:
    """Quote a target, unless it may hold a password."""
    return repr(target) if not isinstance(target, str) or "@" not in target else "a name with '@'"


def _hint(target: object) -> str:
    if isinstance(target, str) and "://" in target:
        return "gRPC takes no URL: write host:port, for example 'localhost:50051', and pass credentials= for TLS"
    if isinstance(target, str) and target and ":" not in target:
        return "the port is missing: write host:port, for example 'localhost:50051'"
    return "write host:port with a port of 1 to 65535, for example 'localhost:50051', or a gRPC name such as 'dns:///host:50051'"
