"""What both clients hold: the checked arguments of a connection. No I/O."""

from collections.abc import Sequence
from typing import Any

import grpc

from polyseme.client.errors import InvalidArgumentError

DEFAULT_TARGET = "localhost:50051"
DEFAULT_TIMEOUT_S = 30.0


class Connection:
    """Where to call and with what credentials.

    Raises:
        InvalidArgumentError: no target, or a token that no header can carry.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None,
        token: str | None,
        options: Sequence[tuple[str, Any]],
    ) -> None:
        if not isinstance(target, str) or not target:
            raise InvalidArgumentError(f"target is {target!r}; a name like 'localhost:50051' is needed")
        if token is not None and not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
            raise InvalidArgumentError("token must be printable ASCII")  # never the token itself
        self.target = target
        self.credentials = credentials
        self.options = tuple(options)
        self.metadata: tuple[tuple[str, str], ...] = () if token is None else (("authorization", f"Bearer {token}"),)
