"""Declare the unit of offsets, and read offsets in it."""

from __future__ import annotations

import argparse


def add_offset_unit_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the argument."""
    parser.add_argument(
        "--offset-unit",
        choices=["code_point", "utf8_byte", "utf16_code_unit"],
        default="code_point",
        help="unit of the offsets [%(default)s]",
    )


def code_point_of(text: str, offset: int, unit: str) -> int:
    """Give the index into a str of an offset in this unit."""
    match unit:
        case "utf8_byte":
            return len(text.encode()[:offset].decode(errors="ignore"))
        case "utf16_code_unit":
            return len(text.encode("utf-16-le")[: 2 * offset].decode("utf-16-le", errors="ignore"))
        case _:
            return offset
