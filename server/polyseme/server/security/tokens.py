"""The tokens with which calls are let in."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from polyseme.server.errors import ConfigError, UnauthenticatedError
from polyseme.server.security.watched import WatchedFiles, read_file

log = logging.getLogger(__name__)

_SCHEME: Final = "Bearer "


class Tokens:
    """The tokens that callers may show; without a file every call is let in.

    A file that is emptied revokes all tokens; one that cannot be read or used leaves them as they were.
    """

    def __init__(self, file: str, clock: Callable[[], float] = time.monotonic, *, flag: str = "--token-file") -> None:
        """Read the tokens.

        Args:
            file: path of a file with one token a line; empty: no token is needed.
            clock: seconds, monotonic.
            flag: the flag that named the file, for messages.

        Raises:
            ConfigError: the file cannot be read, or holds no token, or one that no header can carry.
        """
        self._flag = flag
        self._watched: WatchedFiles[list[bytes]] | None = None
        if file:
            self._watched = WatchedFiles([Path(file)], lambda: self._read(Path(file)), clock)

    @property
    def needed(self) -> bool:
        """True where calls must carry a token."""
        return self._watched is not None

    def check(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
        """Refuse a call that carries none of the tokens in `authorization: Bearer TOKEN`.

        Raises:
            UnauthenticatedError: it carries no token, or a wrong one; the message never holds a token.
        """
        if self._watched is None:
            return
        given = next((value for key, value in metadata or () if key == "authorization"), None)
        if not isinstance(given, str) or not given.startswith(_SCHEME):
            raise UnauthenticatedError("metadata authorization: needed, as Bearer TOKEN")
        token = given.removeprefix(_SCHEME).encode()
        # Compare all, each in constant time: the time taken then tells nothing about them.
        equal = [hmac.compare_digest(token, known) for known in self._watched.value]
        if not any(equal):
            raise UnauthenticatedError("metadata authorization: the token is not one of this server's")

    def admits(self, authorization: str) -> bool:
        """Tell whether an `Authorization` header carries one of the tokens."""
        try:
            self.check([("authorization", authorization)])
        except UnauthenticatedError:
            return False
        return True

    def _read(self, path: Path) -> list[bytes]:
        tokens = _tokens(self._flag, path)
        if not tokens and self._watched is None:
            raise ConfigError(f"{self._flag}: {path} holds no token, one a line")
        if not tokens:
            log.warning("%s: %s holds no token any more: no call is let in", self._flag, path)
        return tokens


def _tokens(flag: str, path: Path) -> list[bytes]:
    lines = (line.strip() for line in read_file(flag, str(path)).splitlines())
    tokens = [line for line in lines if line and not line.startswith(b"#")]
    if not all(token.isascii() and token.decode().isprintable() and b" " not in token for token in tokens):
        raise ConfigError(f"{flag}: {path} holds a token that is not printable ASCII without spaces")
    return tokens
