"""polyseme gateway: answer HTTP for a server, in OpenAI's form."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any, Final

from polyseme.cli.arguments.connection import add_target_argument
from polyseme.cli.arguments.numbers import positive, seconds
from polyseme.cli.arguments.tls import tls_from
from polyseme.cli.errors import CliError

EXTRA: Final = "gateway"

_MAX_PORT: Final = 65_535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; the defaults are those of GatewayConfig."""
    from polyseme.gateway.config import GatewayConfig

    default = GatewayConfig()

    def add(flag: str, metavar: str, read: Any, text: str) -> None:  # noqa: ANN401
        value = getattr(default, flag.removeprefix("--").replace("-", "_"), None)
        parser.add_argument(flag, metavar=metavar, type=read, default=value, help=f"{text} [%(default)s]")

    add("--host", "ADDRESS", str, "address to listen on; 0.0.0.0: every IPv4 address")
    add("--port", "PORT", _port, "port to listen on; 0: any free one")
    add_target_argument(parser)
    parser.add_argument(
        "--allowed-hosts",
        metavar="NAMES",
        type=_names,
        default=default.allowed_hosts,
        help="names that callers may use in URLs besides addresses, localhost and --host, separated by commas; "
        "*.NAME: all below NAME; *: any [none]",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=default.timeout_s,
        help="time limit of a request, its body included [%(default)s]",
    )
    add("--max-body-bytes", "N", positive, "most bytes of one request's body")
    add("--max-inputs", "N", positive, "most texts of one request")
    add("--max-requests", "N", positive, "most requests at once; those beyond end with 429")
    add("--max-connections", "N", positive, "most connections at once; those beyond are closed")
    parser.add_argument(
        "--grace",
        metavar="SECONDS",
        type=seconds,
        default=default.grace_s,
        help="time that requests under way have to end after SIGTERM [%(default)s]",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from polyseme.client import AsyncClient, InvalidArgumentError
    from polyseme.gateway.config import GatewayConfig
    from polyseme.gateway.serving import serve

    tls = tls_from(args)
    credentials, options = (None, []) if tls is None else (tls.credentials(), tls.options())
    connect = partial(AsyncClient, args.target, credentials=credentials, options=options)
    config = GatewayConfig(
        host=args.host,
        port=args.port,
        allowed_hosts=args.allowed_hosts,
        timeout_s=args.timeout,
        max_body_bytes=args.max_body_bytes,
        max_inputs=args.max_inputs,
        max_requests=args.max_requests,
        max_connections=args.max_connections,
        grace_s=args.grace,
    )
    try:
        connect()
    except InvalidArgumentError as error:
        raise CliError(str(error), 2) from error
    try:
        serve(config, connect, before=args.target)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]  # asyncio says the address again
        raise CliError(f"cannot listen on {args.host}, port {args.port}: {reason}", 2) from error
    return 0


def _names(text: str) -> tuple[str, ...]:
    from polyseme.gateway.hosts import AllowedHosts

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    try:
        AllowedHosts(names)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return names


def _port(text: str) -> int:
    if not 0 <= (number := int(text)) <= _MAX_PORT:
        raise argparse.ArgumentTypeError(f"got {number}; limits 0..{_MAX_PORT}")
    return number
