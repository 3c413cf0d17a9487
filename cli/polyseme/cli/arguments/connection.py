"""Declare the arguments that name a server, and open a client to it."""

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
    """Give the server to call if none is named: POLYSEME_TARGET, or localhost."""
    return os.environ.get("POLYSEME_TARGET") or "localhost:50051"


def add_target_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a server."""
    target = default_target()
    parser.add_argument(
        "--target", metavar="HOST:PORT", default=target, help=f"server to call [{target}; POLYSEME_TARGET]"
    )
    add_tls_arguments(parser)


def add_client_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a server and a model."""
    add_target_argument(parser)
    parser.add_argument("--model", metavar="NAME[@VERSION]", help="model to use [the server's default model]")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=30.0,
        help="time limit of each call to the server [%(default)s]",
    )


def client_from(args: argparse.Namespace) -> Client:
    """Open a client for the arguments of `add_client_arguments`.

    Raises:
        CliError: an argument is wrong; nothing was sent.
    """
    return open_client(args, model=args.model, timeout=args.timeout)


def open_client(args: argparse.Namespace, *, model: str | None = None, timeout: float = 30.0) -> Client:
    """Open a client for the arguments of `add_target_argument`; the token comes from POLYSEME_TOKEN alone.

    Raises:
        CliError: an argument is wrong; nothing was sent.
    """
    from polyseme.client import Client, InvalidArgumentError

    token, tls = os.environ.get("POLYSEME_TOKEN") or None, tls_from(args)
    credentials, options = (None, []) if tls is None else (tls.credentials(), tls.options())
    try:
        return Client(args.target, model=model, timeout=timeout, token=token, credentials=credentials, options=options)
    except InvalidArgumentError as error:
        raise CliError(str(error), 2) from error
