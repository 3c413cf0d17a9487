"""Who may call: TLS, certificates of callers, and tokens. Files are read again when they change."""

from __future__ import annotations

import hmac
import logging
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import grpc

from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError, UnauthenticatedError

T = TypeVar("T")
log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 1.0
_SCHEME = "Bearer "


def server_credentials(config: ServerConfig) -> grpc.ServerCredentials | None:
    """What TLS is done with; None where none is asked for.

    Raises:
        ConfigError: a file is missing or is not what it should be, or a key does not belong to its certificate.
    """
    if not (config.tls_cert or config.tls_key or config.tls_client_ca):
        return None
    if not (config.tls_cert and config.tls_key):
        raise ConfigError("TLS needs both --tls-cert and --tls-key")
    paths = [Path(path) for path in (config.tls_cert, config.tls_key, config.tls_client_ca) if path]
    watched = _Watched(paths, lambda: _certificates(config))
    given = watched.value

    def changed() -> Any:  # noqa: ANN401  None where it has not, which types-grpcio does not know
        nonlocal given
        if watched.value is given:
            return None
        given = watched.value
        return given

    return grpc.dynamic_ssl_server_credentials(given, changed, require_client_authentication=bool(config.tls_client_ca))


class Tokens:
    """The tokens with which calls are let in; without a file every call is."""

    def __init__(self, file: str) -> None:
        """Read them.

        Raises:
            ConfigError: the file cannot be read, or holds no token, or one that no header can carry.
        """
        self._watched = _Watched([Path(file)], lambda: _tokens(Path(file))) if file else None

    @property
    def needed(self) -> bool:
        """Whether calls must carry one."""
        return self._watched is not None

    def check(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
        """Raise unless a call carries one of them, in `authorization: Bearer TOKEN`.

        Raises:
            UnauthenticatedError: it carries none, or another; the token is never told.
        """
        if self._watched is None:
            return
        given = next((value for key, value in metadata or () if key == "authorization"), None)
        if not isinstance(given, str) or not given.startswith(_SCHEME):
            raise UnauthenticatedError("metadata authorization: needed, as Bearer TOKEN")
        token = given.removeprefix(_SCHEME).encode()
        # All of them, each in constant time: how long it takes tells nothing of what they are.
        equal = [hmac.compare_digest(token, known) for known in self._watched.value]
        if not any(equal):
            raise UnauthenticatedError("metadata authorization: the token is not one of this server's")


class _Watched(Generic[T]):
    """What is read from files, and read again where one has changed; what cannot be read leaves things as they were."""

    def __init__(self, paths: Iterable[Path], read: Callable[[], T]) -> None:
        self._paths = tuple(paths)
        self._read = read
        self._seen = self._state()
        self._value = read()
        self._looked = time.monotonic()

    @property
    def value(self) -> T:
        """The last that could be read."""
        now = time.monotonic()
        if now >= self._looked + _LOOK_AGAIN_S:
            self._looked = now
            self._look()
        return self._value

    def _look(self) -> None:
        seen = self._state()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._value = self._read()
        except ConfigError as error:
            log.warning("still using what was there before: %s", error)
        else:
            log.info("read again: %s", ", ".join(map(str, self._paths)))

    def _state(self) -> list[tuple[int, int, int]]:
        """Changes when a file is written, or another takes its name."""
        states = []
        for path in self._paths:
            try:
                status = path.stat()
            except OSError:
                states.append((0, 0, 0))
            else:
                states.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return states


def _certificates(config: ServerConfig) -> grpc.ServerCertificateConfiguration:
    certificate, key = _read("--tls-cert", config.tls_cert), _read("--tls-key", config.tls_key)
    ca = _read("--tls-client-ca", config.tls_client_ca) if config.tls_client_ca else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, password="")  # else a terminal is asked for it
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            "--tls-cert, --tls-key: not a certificate and its key in PEM, without a passphrase"
        ) from error
    if ca is not None:
        try:
            context.load_verify_locations(config.tls_client_ca)
        except ssl.SSLError as error:
            raise ConfigError("--tls-client-ca: no certificates in PEM") from error
    return grpc.ssl_server_certificate_configuration([(key, certificate)], ca)


def _tokens(path: Path) -> list[bytes]:
    lines = (line.strip() for line in _read("--token-file", str(path)).splitlines())
    tokens = [line for line in lines if line and not line.startswith(b"#")]
    if not tokens:
        raise ConfigError(f"--token-file: {path} holds no token, one a line")
    if not all(token.isascii() and token.decode().isprintable() and b" " not in token for token in tokens):
        raise ConfigError(f"--token-file: {path} holds a token that is not printable ASCII without spaces")
    return tokens


def _read(flag: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{flag}: cannot read {path}: {error.strerror}") from error
