"""Check and hold the arguments of a connection, for both clients. No I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import grpc

from polyseme.client._transport.proxy import ENABLED, is_local, proxy_of
from polyseme.client._transport.status import error_from_status
from polyseme.client._transport.target import check_target
from polyseme.client.errors import ClosedClientError, InvalidArgumentError, PolysemeError

DEFAULT_TARGET: Final = "localhost:50051"
DEFAULT_TIMEOUT_S: Final = 30.0

Token: TypeAlias = str | Callable[[], str | None]
"""A token, or a function that gives it to each call, or None to a call without one."""
Metadata: TypeAlias = Sequence[tuple[str, str]] | Callable[[], Sequence[tuple[str, str]]]
"""Headers, or a function that gives them to each call."""
Credentials: TypeAlias = grpc.ChannelCredentials | Callable[[], grpc.ChannelCredentials]
"""Credentials for TLS, or a function that makes them for each channel."""

# Source: gRPC over HTTP/2. Names in "-bin" would carry bytes; "grpc-" is gRPC's own, and token= sends authorization.
_HEADER_NAME: Final = r"(?!grpc-|authorization$)[0-9a-z_.-]+(?<!-bin)"


class Connection:
    """The server to call, and the credentials and options to call it with.

    Attributes:
        target: the server, as "host:port" or another gRPC name.
        options: gRPC channel options: the caller's, before them what the target needs.
        proxy: name of the proxy that calls go through, for errors; "": there is none.

    Raises:
        InvalidArgumentError: gRPC has no such form of target, or no header can carry the token or the metadata.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: Credentials | None,
        token: Token | None,
        metadata: Metadata = (),
        options: Sequence[tuple[str, Any]],
    ) -> None:
        check_target(target)
        if token is not None and not callable(token):
            _check_token(token)
        if not callable(metadata):
            _check_metadata(metadata)
        self.target = target
        self.options = (*(((ENABLED, 0),) if is_local(target) else ()), *options)
        self.proxy = proxy_of(target, self.options, os.environ)
        self._given_options = tuple(options)
        self._credentials = credentials
        self._token = token
        self._metadata = metadata

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        """The credentials for a channel; None: plaintext."""
        return self._credentials() if callable(self._credentials) else self._credentials

    @property
    def tls(self) -> bool:
        """True where the client speaks TLS."""
        return self._credentials is not None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers of a call.

        Raises:
            InvalidArgumentError: the function for the token or for the metadata gave what no header can carry.
        """
        token, metadata = self._token, self._metadata
        if callable(token):
            token = token()
            if token is not None:
                _check_token(token)
        if callable(metadata):
            metadata = metadata()
            _check_metadata(metadata)
        return (*metadata, *(() if token is None else (("authorization", f"Bearer {token}"),)))

    def picklable(self) -> dict[str, Any]:
        """Give the arguments for a copy in another process; never a token or a key.

        Raises:
            InvalidArgumentError: there are credentials, and no function that makes them.
        """
        if self._credentials is not None and not callable(self._credentials):
            raise InvalidArgumentError(
                "credentials cannot be pickled, since they may hold a key; pass a function that makes them",
                field="credentials",
            )
        token = self._token if self._token is None or callable(self._token) else token_from_environment
        return {
            "target": self.target,
            "credentials": self._credentials,
            "token": token,
            "metadata": self._metadata,
            "options": self._given_options,
        }

    def error(self, failure: grpc.RpcError, path: str, timeout: float | None, *, closed: bool) -> PolysemeError:
        """Translate the failure of a call; if close() cancelled it, to ClosedClientError.

        Args:
            failure: gRPC's exception.
            path: the method that was called, as in "/polyseme.v1.EmbeddingService/Embed".
            timeout: seconds that the call had; None: no limit.
            closed: whether close() was called.
        """
        error = error_from_status(failure, self.target, path, proxy=self.proxy, timeout=timeout, tls=self.tls)
        return self.closed_error() if closed and error.code is grpc.StatusCode.CANCELLED else error

    def closed_error(self) -> ClosedClientError:
        """Make the error of a call on a closed client."""
        return ClosedClientError(f"the client of {self.target} is closed", target=self.target)


def token_from_environment() -> str:
    """Give the token of POLYSEME_TOKEN, for a client that was pickled.

    Raises:
        InvalidArgumentError: it is not set.
    """
    token = os.environ.get("POLYSEME_TOKEN")
    if not token:
        raise InvalidArgumentError(
            "pickle left the client's token behind; set POLYSEME_TOKEN here, or give the client a function as token",
            field="token",
        )
    return token


def _check_token(token: object) -> None:
    if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
        raise InvalidArgumentError("token must be printable ASCII", field="token")  # never the token itself


def _check_metadata(metadata: Sequence[tuple[str, str]]) -> None:
    for index, (name, value) in enumerate(metadata):
        if not (isinstance(name, str) and re.fullmatch(_HEADER_NAME, name)):
            raise InvalidArgumentError(
                f"metadata[{index}] has a name that no call can carry: lower case, no authorization (that is token=), "
                "nothing that begins with grpc- or ends in -bin",
                field=f"metadata[{index}]",
            )
        if not (isinstance(value, str) and value.isascii() and value.isprintable()):
            raise InvalidArgumentError(
                f"metadata[{index}]: the value must be printable ASCII", field=f"metadata[{index}]"
            )
