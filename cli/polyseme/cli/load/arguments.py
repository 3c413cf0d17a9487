"""Declare and check the arguments of `polyseme bench`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from polyseme.cli.arguments.connection import add_client_arguments
from polyseme.cli.arguments.numbers import finite_not_negative, finite_positive, positive
from polyseme.cli.errors import CliError

_ABOUT: Final = """
A closed loop (--concurrency, the default) sends the next call when one is answered. It finds the capacity of the
server, but hides queues: it waits when the server waits. An open loop (--rate, --rates, --sweep) sends by a schedule,
and measures from the schedule: a stall counts for every call that it delays. A call costs Python about 250 us of a
core: one process offers up to 3,000 calls/s in a closed loop, and 1,000 by a schedule (99 % of them within 3 ms of
it). The command warns if it is the bottleneck itself.
"""
_FORMATS: Final = (".png", ".svg", ".html")
_BEYOND_CAPACITY: Final = frozenset({"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "NOT_SENT"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _ABOUT
    add_client_arguments(parser)
    _add_call_arguments(parser.add_argument_group("calls"))
    _add_load_arguments(parser.add_argument_group("load"))
    out = parser.add_argument_group("results")
    out.add_argument(
        "--allow",
        metavar="CODE,...",
        default="",
        help="statuses that do not count as failures, for example RESOURCE_EXHAUSTED; any other but OK: exit code 1",
    )
    out.add_argument(
        "--json", metavar="FILE", help="write all results as JSON, with histograms; -: to stdout, without tables"
    )
    out.add_argument("--plot", metavar="FILE", help="draw latency and goodput over offered load: .png, .svg or .html")


def _add_call_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--method",
        choices=["embed", "words", "tokens", "stream"],
        default="embed",
        help="one vector for each text, word or token; or a stream with a request for each text [%(default)s]",
    )
    group.add_argument(
        "--texts", dest="size", metavar="N", type=positive, default=1, help="texts in a call [%(default)s]"
    )
    group.add_argument(
        "-i",
        "--input",
        metavar="FILE",
        help="file of texts to send in turn, as polyseme embed reads it; long ones are cut [sentences of seven works]",
    )


def _add_load_arguments(group: argparse._ArgumentGroup) -> None:
    loop = group.add_mutually_exclusive_group()
    loop.add_argument(
        "--concurrency", metavar="K", type=positive, default=16, help="closed loop: number of callers [%(default)s]"
    )
    loop.add_argument("--rate", dest="rates", metavar="R", type=_rate, help="open loop: calls a second")
    loop.add_argument("--rates", metavar="R1,R2,...", type=_rates, help="open loop: several rates, one after the other")
    loop.add_argument(
        "--sweep",
        action="store_true",
        help="find the capacity by a closed loop of 64 callers, then offer 10%% to 150%% of it by an open loop; "
        "refusals by a full server do not count as failures",
    )
    group.add_argument(
        "--spacing",
        choices=["poisson", "constant"],
        default="poisson",
        help="gaps between calls of the open loop [%(default)s]",
    )
    group.add_argument("--seed", type=int, default=0, help="seed of the gaps [%(default)s]")
    length = group.add_mutually_exclusive_group()
    length.add_argument(
        "--duration",
        metavar="S",
        type=finite_positive,
        default=10.0,
        help="seconds that are measured at each rate [%(default)g]",
    )
    length.add_argument("--calls", metavar="N", type=positive, help="counted calls at each rate, instead of seconds")
    group.add_argument(
        "--warm-up",
        metavar="S",
        type=finite_not_negative,
        default=2.0,
        help="seconds of load before the measurement [%(default)g]",
    )
    group.add_argument(
        "--connections", metavar="C", type=positive, default=4, help="connections to the server [%(default)s]"
    )
    group.add_argument(
        "--processes",
        metavar="P",
        type=positive,
        help="processes that send; they share the connections [half of the cores, at most one per connection]",
    )


def checked_processes(args: argparse.Namespace) -> int:
    """Give the number of processes that offer the load.

    Raises:
        CliError: there are more processes than connections or callers.
    """
    limit: int = args.connections if args.rates or args.sweep else min(args.connections, args.concurrency)
    if args.processes is None:
        return max(1, min(limit, len(os.sched_getaffinity(0)) // 2))
    if args.processes > limit:
        raise CliError(f"--processes {args.processes}: got {limit} connections or callers; one a process at least", 2)
    processes: int = args.processes
    return processes


def checked_statuses(args: argparse.Namespace) -> frozenset[str]:
    """Give the statuses that are no failure.

    Raises:
        CliError: gRPC has no such status.
    """
    from polyseme.cli.load.tally import NAMES

    named = frozenset(code.strip().upper() for code in args.allow.split(",") if code.strip())
    if unknown := named - NAMES:
        raise CliError(f"--allow {min(unknown)}: no such status", 2)
    return named | _BEYOND_CAPACITY if args.sweep else named


def checked_plot(args: argparse.Namespace) -> Path | None:
    """Check the path of the picture before any work is done; None: no picture.

    Raises:
        CliError: it cannot be written, or there is no curve to draw.
    """
    if args.plot is None:
        return None
    path = Path(args.plot)
    if path.suffix.lower() not in _FORMATS:
        raise CliError(f"--plot {args.plot}: a picture is {', '.join(_FORMATS)}", 2)
    if not path.parent.is_dir():
        raise CliError(f"--plot {args.plot}: there is no folder {path.parent}", 2)
    if not args.sweep and len(args.rates or ()) < 2:
        raise CliError("--plot needs --sweep, or --rates with two or more", 2)
    return path


def _rate(text: str) -> list[float]:
    return [finite_positive(text)]


def _rates(text: str) -> list[float]:
    return [finite_positive(part) for part in text.split(",")]
