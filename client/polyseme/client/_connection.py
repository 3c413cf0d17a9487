"""What both clients hold: the checked arguments of a connection. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import grpc

from polyseme.client._transport.target import check_target
from polyseme.client.errors import ClosedClientError, InvalidArgumentError

DEFAULT_TARGET: Final = "localhost:50051"
DEFAULT_TIMEOUT_S: Final = 30.0


class Connection:
    """Where to call and with what credentials.

    Raises:
        InvalidArgumentError: no target that gRPC knows, or a token that no header can carry.
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
        self.options = tuple(options)
        self.metadata: tuple[tuple[str, str], ...] = () if token is None else (("authorization", f"Bearer {token}"),)

    def closed_error(self) -> ClosedClientError:
        """Say that close() was called."""
        return ClosedClientError(f"the client of {self.target} is closed", target=self.target)
