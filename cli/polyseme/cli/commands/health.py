"""polyseme health: ask whether a server serves; for people, scripts and a container's HEALTHCHECK."""

from __future__ import annotations

import argparse
from typing import Final

from polyseme.cli.arguments.connection import add_target_argument, open_client
from polyseme.cli.arguments.numbers import seconds

EXTRA: Final = "cli"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("server", metavar="TARGET", nargs="?", help="host:port, the same as --target")
    add_target_argument(parser)
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument(
        "--service",
        metavar="NAME",
        default="",
        help="service to ask about: polyseme.v1.EmbeddingService does not serve while the server starts or drains "
        "[the whole server: whether it is alive]",
    )
    asked.add_argument("--wait", action="store_true", help="wait until the server takes calls, however long it starts")
    parser.add_argument("--timeout", metavar="SECONDS", type=seconds, help="time limit [2.0; 60.0 with --wait]")


def run(args: argparse.Namespace) -> int:
    """Print the status; give 0 for SERVING, else 1."""
    from polyseme.client import HealthStatus

    args.target = args.server or args.target
    with open_client(args) as client:
        if args.wait:
            client.wait_until_ready(args.timeout or 60.0)
            status = HealthStatus.SERVING
        else:
            status = client.health(args.service, timeout=args.timeout or 2.0)
    print(status.name)
    return 0 if status is HealthStatus.SERVING else 1
