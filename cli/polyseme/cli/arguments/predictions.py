"""Declare and read the arguments of the subcommands that ask heads of a model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from polyseme.cli.errors import CliError

if TYPE_CHECKING:
    from polyseme.client.options import PredictionOptions


def add_prediction_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--head", metavar="NAME", help="name of the head to ask [the model's only one of its kind]")
    parser.add_argument(
        "--long-texts",
        choices=["refuse", "longest_first", "only_second", "windows"],
        default="refuse",
        help="what becomes of a text or pair that is too long: refuse it; cut the longer text of a pair first, or the "
        "second alone; or run it in windows that overlap [%(default)s]",
    )
    parser.add_argument(
        "--overlap",
        metavar="N",
        type=int,
        help="with --long-texts windows: tokens that a window shares with the one before it [a quarter of the limit]",
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines on a terminal too")


def prediction_options(args: argparse.Namespace) -> PredictionOptions:
    """Give the options of a call.

    Raises:
        CliError: --overlap is given, and nothing runs in windows.
    """
    if args.overlap is not None and args.long_texts != "windows":
        raise CliError("--overlap is for --long-texts windows", 2)
    return {"head": args.head, "long_texts": args.long_texts, "overlap": args.overlap}


def decisive_options(args: argparse.Namespace, command: str, *names: str) -> dict[str, Any]:
    """Give what decides the output of a subcommand, by its names in messages: with these options of its own."""
    options = ("head", "long_texts", "overlap", *names)
    return {"command": command, **{f"--{name.replace('_', '-')}": getattr(args, name) for name in options}}
