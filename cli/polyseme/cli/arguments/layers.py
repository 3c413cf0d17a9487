"""Declare and read the arguments that say which layers become a vector, and how."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyseme.client.options import Layers


def add_layer_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--layers",
        metavar="N,...",
        type=layers,
        default=-1,
        help="layers of the vectors: numbers from 0 up or from -1 down, or static first; --layers=-4,-3,-2,-1 [-1]",
    )
    parser.add_argument(
        "--combine",
        choices=["sum", "mean", "concat", "none"],
        default="sum",
        help="way in which several layers become one vector; none: keep them apart [%(default)s]",
    )


def layers(text: str) -> Layers:
    """Read one layer, or several with commas between them."""
    names = [name.strip() for name in text.split(",")]
    listed = [name if name == "static" else _number(name) for name in names]
    return listed[0] if len(listed) == 1 else listed  # type: ignore[return-value]  # the SDK checks them


def _number(name: str) -> int:
    try:
        return int(name)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {name}; a layer is a number or static") from None
