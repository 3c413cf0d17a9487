"""Which server a subcommand talks to."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from polyseme.cli.arguments.numbers import seconds
from polyseme.cli.arguments.tls import add_tls_arguments, tls_from
from polyseme.cli.errors import CliError

if TYPE_CHECKING:
    from polyseme.client import Client


def default_target() -> str:
    """Give the server that is meant where none is named."""
    return os.environ.get("POLYSEME_TARGET") or "localhost:50051"


def add_target_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the server."""
    target = default_target()
    parser.add_argument("--target", metavar="HOST:PORT", default=target, help=f"the server [{target}; POLYSEME_TARGET]")
    add_tls_arguments(parser)


def add_client_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which server and model to call."""
    add_target_argument(parser)
    parser.add_argument("--model", metavar="NAME[@VERSION]", help="[the server's default model]")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=30.0, help="for each call to the server [%(default)s]"
    )


def client_from(args: argparse.Namespace) -> Client:
    """Open the client that the arguments of `add_client_arguments` ask for."""
    return open_client(args, model=args.model, timeout=args.timeout)


def open_client(args: argparse.Namespace, *, model: str | None = None, timeout: float = 30.0) -> Client:
    """Open a client to the server that `add_target_argument` asked for; a token comes from POLYSEME_TOKEN alone.

    Raises:
        CliError: the target or another argument is wrong; nothing was sent.
    """
    from polyseme.client import Client, InvalidArgumentError

    token, tls = os.environ.get("POLYSEME_TOKEN") or None, tls_from(args)
    credentials, options = (None, []) if tls is None else (tls.credentials(), tls.options())
    try:
        return Client(args.target, model=model, timeout=timeout, token=token, credentials=credentials, options=options)
    except InvalidArgumentError as error:
        raise CliError(str(error), 2) from error
