"""Declare and read the arguments for TLS: flags, or environment variables of the same names."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.errors import CliError

if TYPE_CHECKING:
    import grpc

_FILES: Final = {
    "tls_ca": "PEM file of the authorities that are trusted to sign the server's certificate; implies --tls",
    "client_cert": "PEM file of your certificate, for a server that asks for one",
    "client_key": "PEM file of the certificate's key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The files and names for TLS; can be sent to other processes.

    Attributes:
        ca: PEM of trusted authorities; None: the system's.
        cert: PEM of the caller's certificate; None: it has none.
        key: PEM of the certificate's key.
        name: host name in the server's certificate, if it is not the target's; else "".
    """

    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None
    name: str = ""

    def credentials(self) -> grpc.ChannelCredentials:
        """Make the credentials of a channel."""
        import grpc

        return grpc.ssl_channel_credentials(self.ca, self.key, self.cert)

    def options(self) -> list[tuple[str, Any]]:
        """Give the gRPC options of the same channel."""
        return [("grpc.ssl_target_name_override", self.name)] if self.name else []


def add_tls_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    group = parser.add_argument_group("TLS")
    on = os.environ.get("POLYSEME_TLS", "") not in ("", "0", "false")
    group.add_argument("--tls", action="store_true", default=on, help="use TLS [POLYSEME_TLS=1]")
    for name, text in _FILES.items():
        variable = f"POLYSEME_{name.upper()}"
        flag = "--" + name.replace("_", "-")
        group.add_argument(flag, metavar="FILE", default=os.environ.get(variable) or None, help=f"{text} [{variable}]")
    group.add_argument(
        "--tls-name",
        metavar="NAME",
        default=os.environ.get("POLYSEME_TLS_NAME", ""),
        help="host name in the server's certificate, if it is not the target's [POLYSEME_TLS_NAME]",
    )


def tls_from(args: argparse.Namespace) -> Tls | None:
    """Read the files that the arguments name; None: plaintext.

    Raises:
        CliError: a file cannot be read, or a certificate comes without its key.
    """
    if bool(args.client_cert) != bool(args.client_key):
        raise CliError("--client-cert and --client-key go together", 2)
    if not (args.tls or args.tls_ca or args.client_cert):
        return None
    files = {name: _read("--" + name.replace("_", "-"), getattr(args, name)) for name in _FILES}
    return Tls(ca=files["tls_ca"], cert=files["client_cert"], key=files["client_key"], name=args.tls_name)


def _read(flag: str, path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CliError(f"{flag}: cannot read {path}: {error.strerror}", 2) from error
