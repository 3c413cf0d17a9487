"""TLS of the server, and certificates of callers. Files are read again when they change."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.server.security.watched import WatchedFiles, read_file


def server_credentials(
    config: ServerConfig, clock: Callable[[], float] = time.monotonic
) -> grpc.ServerCredentials | None:
    """Give the credentials of TLS; None: TLS is not asked for.

    Raises:
        ConfigError: a file is missing or of another kind, or a key does not belong to its certificate.
    """
    if not (config.tls_cert or config.tls_key or config.tls_client_ca):
        return None
    if not (config.tls_cert and config.tls_key):
        raise ConfigError("TLS needs both --tls-cert and --tls-key")
    watched = WatchedFiles(_paths(config), lambda: _certificates(config), clock)
    given = watched.value

    def changed() -> Any:  # noqa: ANN401  None where it has not, which types-grpcio does not know
        nonlocal given
        if watched.value is given:
            return None
        given = watched.value
        return given

    return grpc.dynamic_ssl_server_credentials(given, changed, require_client_authentication=bool(config.tls_client_ca))


def metrics_context(
    config: ServerConfig, clock: Callable[[], float] = time.monotonic
) -> Callable[[], ssl.SSLContext] | None:
    """Give the function that makes the TLS context of each connection to the metrics; None: TLS is not asked for.

    Raises:
        ConfigError: as `server_credentials`, and where there is no certificate to serve metrics with.
    """
    if not config.metrics_tls:
        return None
    if not (config.tls_cert and config.tls_key):
        raise ConfigError("--metrics-tls needs --tls-cert and --tls-key")
    watched = WatchedFiles(_paths(config), lambda: _context(config), clock)
    return lambda: watched.value


def _paths(config: ServerConfig) -> list[Path]:
    return [Path(path) for path in (config.tls_cert, config.tls_key, config.tls_client_ca) if path]


def _certificates(config: ServerConfig) -> grpc.ServerCertificateConfiguration:
    certificate, key = read_file("--tls-cert", config.tls_cert), read_file("--tls-key", config.tls_key)
    ca = read_file("--tls-client-ca", config.tls_client_ca) if config.tls_client_ca else None
    _context(config)
    return grpc.ssl_server_certificate_configuration([(key, certificate)], ca)


def _context(config: ServerConfig) -> ssl.SSLContext:
    """Load the certificates into Python's own TLS, which says what is wrong with them; gRPC does not."""
    for flag, path in (("--tls-cert", config.tls_cert), ("--tls-key", config.tls_key)):
        read_file(flag, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, password="")  # else a terminal is asked for it
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            "--tls-cert, --tls-key: not a certificate and its key in PEM, without a passphrase"
        ) from error
    if config.tls_client_ca:
        read_file("--tls-client-ca", config.tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(config.tls_client_ca)
        except ssl.SSLError as error:
            raise ConfigError("--tls-client-ca: no certificates in PEM") from error
    return context
