"""The hosts that a gateway answers for. They keep out web pages of other sites.

A site may point its name at this machine once a browser has its page (DNS rebinding). To the browser, page and gateway
are then one site, and header `host` has that name. An address is no name: no site can point it elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from polyseme.gateway.errors import HttpError
from polyseme.gateway.requests import json_response

ANY: Final = "*"
_LOCAL: Final = "localhost"
_NAME: Final = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_ALLOWED: Final = re.compile(rf"(?:\*\.)?{_NAME}|\*")
_HEADER: Final = re.compile(rf"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>{_NAME})\.?)(?::[0-9]*)?")


class AllowedHosts:
    """The names that callers may call a gateway by, besides its addresses, localhost and its own."""

    def __init__(self, names: Iterable[str] = (), *, own: str = _LOCAL) -> None:
        """Take names.

        Args:
            names: NAME; `*.NAME`: those below it; `*`: any.
            own: what the gateway listens on, a name or an address.

        Raises:
            ValueError: one of `names` is none of these.
        """
        given = [name.lower() for name in names]
        for name in given:
            if not _ALLOWED.fullmatch(name):
                raise ValueError(f"got {name!r}; NAME without scheme and port, *.NAME or *")
        self._names = {_LOCAL, own.lower(), *given}

    def __contains__(self, header: str) -> bool:
        """Tell whether a header `host` names an allowed host."""
        if ANY in self._names:
            return True
        found = _HEADER.fullmatch(header.lower())
        if found is None:
            return False
        if address := found["ipv6"]:
            return _is_address(address)
        name = found["name"]
        parts = name.split(".")
        above = {"*." + ".".join(parts[start:]) for start in range(1, len(parts))}
        return _is_address(name) or bool({name, *above} & self._names)


class AllowedHostsOnly:
    """Refuses requests to other hosts, whatever they ask for. A middleware of ASGI."""

    def __init__(self, app: ASGIApp, *, allowed: AllowedHosts) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 to a request to another host, or to none or two."""
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) == 1 and hosts[0] in self._allowed:
            await self._app(scope, receive, send)
            return
        refused = HttpError(421, "header host: it names no host of this gateway (--allowed-hosts)")
        answer = json_response(refused.body(), status=refused.status, headers={"connection": "close"})
        await answer(scope, receive, send)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
