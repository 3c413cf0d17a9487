"""Check and hold the arguments of a connection, for both clients. No I/O."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import grpc

from polyseme.client._transport.proxy import ENABLED, is_local, proxy_of
from polyseme.client._transport.target import check_target
from polyseme.client.errors import ClosedClientError, InvalidArgumentError

DEFAULT_TARGET: Final = "localhost:50051"
DEFAULT_TIMEOUT_S: Final = 30.0


class Connection:
    """The server to call, and the credentials and options to call it with.

    Attributes:
        target: the server, as "host:port" or another gRPC name.
        credentials: for TLS; None: plaintext.
        options: gRPC channel options: the caller's, before them what the target needs.
        proxy: name of the proxy that calls go through, for errors; "": there is none.
        metadata: headers of each call.

    Raises:
        InvalidArgumentError: gRPC has no such form of target, or no header can carry the token.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None,
        token: str | None,
        options: Sequence[tuple[str, Any]],
    ) -> None:
        check_target(target)
        if token is not None and not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
            raise InvalidArgumentError("token must be printable ASCII", field="token")  # never the token itself
        self.target = target
        self.credentials = credentials
        self.options = (*(((ENABLED, 0),) if is_local(target) else ()), *options)
        self.proxy = proxy_of(target, self.options, os.environ)
        self.metadata: tuple[tuple[str, str], ...] = () if token is None else (("authorization", f"Bearer {token}"),)

    def closed_error(self) -> ClosedClientError:
        """Make the error of a call on a closed client."""
        return ClosedClientError(f"the client of {self.target} is closed", target=self.target)
