"""polyseme health: is a server up? For people, scripts and a container's HEALTHCHECK."""

from __future__ import annotations

import argparse
from typing import Final

from polyseme.cli.arguments.connection import add_target_argument, open_client
from polyseme.cli.arguments.numbers import seconds

NAME: Final = "health"
HELP: Final = "ask a server whether it serves; exit code 0 only if so"
EXTRA: Final = "cli"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("server", metavar="TARGET", nargs="?", help="host:port, the same as --target")
    add_target_argument(parser)
    parser.add_argument(
        "--service",
        metavar="NAME",
        default="",
        help="for example polyseme.v1.EmbeddingService, which is not serving while the server starts or drains "
        "[the server as a whole: whether it lives]",
    )
    parser.add_argument("--timeout", metavar="SECONDS", type=seconds, default=2.0, help="[%(default)s]")


def run(args: argparse.Namespace) -> int:
    """Print the status; 0 for SERVING, else 1."""
    from polyseme.client import HealthStatus

    args.target = args.server or args.target
    with open_client(args) as client:
        status = client.health(args.service, timeout=args.timeout)
    print(status.name)
    return 0 if status is HealthStatus.SERVING else 1
