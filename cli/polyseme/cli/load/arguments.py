"""The command line of `polyseme bench`, and what cannot be asked for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from polyseme.cli.arguments.connection import add_client_arguments
from polyseme.cli.arguments.numbers import finite_not_negative, finite_positive, positive
from polyseme.cli.errors import CliError

_ABOUT: Final = """
A closed loop (--concurrency, the default) sends a call when one has been answered: it finds the most that the server
does, but waits when the server waits, and so hides queues. An open loop (--rate, --rates, --sweep) sends by a
schedule and measures from it, so that a stall counts for every call that it delays. Python spends about 250 us of a
core on a call: one process offers up to 3,000 calls/s in a closed loop, and 1,000 by a schedule (99 % of them within
3 ms of it); it warns where it is the bottleneck itself.
"""
_FORMATS: Final = (".png", ".svg", ".html")
_BEYOND_CAPACITY: Final = frozenset({"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "NOT_SENT"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _ABOUT
    add_client_arguments(parser)
    _add_what(parser.add_argument_group("what is sent"))
    _add_how_much(parser.add_argument_group("how much"))
    out = parser.add_argument_group("what comes out")
    out.add_argument(
        "--allow",
        metavar="CODE,...",
        default="",
        help="statuses that are no failure, for example RESOURCE_EXHAUSTED; any other but OK makes the exit code 1",
    )
    out.add_argument("--json", metavar="FILE", help="everything, with histograms; - is stdout, without tables")
    out.add_argument("--plot", metavar="FILE", help="latency and goodput over offered load: .png, .svg or .html")


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--method",
        choices=["embed", "words", "tokens", "stream"],
        default="embed",
        help="a vector per text; per word; per token; or a stream with a request per text [%(default)s]",
    )
    group.add_argument("--texts", dest="size", metavar="N", type=positive, default=1, help="per call [%(default)s]")
    group.add_argument(
        "-i",
        "--input",
        metavar="FILE",
        help="one text a line, or .jsonl; sent in turn, cut where too long [sentences of seven works]",
    )


def _add_how_much(group: argparse._ArgumentGroup) -> None:
    loop = group.add_mutually_exclusive_group()
    loop.add_argument(
        "--concurrency", metavar="K", type=positive, default=16, help="closed loop: callers [%(default)s]"
    )
    loop.add_argument("--rate", dest="rates", metavar="R", type=_rate, help="open loop: calls a second")
    loop.add_argument("--rates", metavar="R1,R2,...", type=_rates, help="open loop at one rate after the other")
    loop.add_argument(
        "--sweep",
        action="store_true",
        help="find the capacity by a closed loop of 64 callers, then offer 10%% to 150%% of it in open loop; "
        "what a server beyond its capacity answers is then allowed",
    )
    group.add_argument(
        "--spacing", choices=["poisson", "constant"], default="poisson", help="gaps of the open loop [%(default)s]"
    )
    group.add_argument("--seed", type=int, default=0, help="of the gaps [%(default)s]")
    length = group.add_mutually_exclusive_group()
    length.add_argument(
        "--duration",
        metavar="S",
        type=finite_positive,
        default=10.0,
        help="counted seconds of each rate [%(default)g]",
    )
    length.add_argument("--calls", metavar="N", type=positive, help="count so many calls instead, of each rate")
    group.add_argument(
        "--warm-up",
        metavar="S",
        type=finite_not_negative,
        default=2.0,
        help="seconds before them [%(default)g]",
    )
    group.add_argument("--connections", metavar="C", type=positive, default=4, help="[%(default)s]")
    group.add_argument(
        "--processes",
        metavar="P",
        type=positive,
        help="of the generator; connections are shared out [half of the cores, and no more than connections]",
    )


def checked_processes(args: argparse.Namespace) -> int:
    """Give how many processes offer the load.

    Raises:
        CliError: more than there are connections, or callers.
    """
    most: int = args.connections if args.rates or args.sweep else min(args.connections, args.concurrency)
    if args.processes is None:
        return max(1, min(most, len(os.sched_getaffinity(0)) // 2))
    if args.processes > most:
        raise CliError(f"--processes {args.processes}: got {most} connections or callers; one a process at least", 2)
    processes: int = args.processes
    return processes


def checked_statuses(args: argparse.Namespace) -> frozenset[str]:
    """Give the statuses that are no failure.

    Raises:
        CliError: one that gRPC does not have.
    """
    from polyseme.cli.load.tally import NAMES

    named = frozenset(code.strip().upper() for code in args.allow.split(",") if code.strip())
    if unknown := named - NAMES:
        raise CliError(f"--allow {min(unknown)}: no such status", 2)
    return named | _BEYOND_CAPACITY if args.sweep else named


def checked_plot(args: argparse.Namespace) -> Path | None:
    """Give the picture's file, before any work is done for it.

    Raises:
        CliError: it could not be written, or there is no curve to draw.
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
