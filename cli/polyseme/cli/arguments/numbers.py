"""Read numbers from the command line, and refuse those that make no sense."""

from __future__ import annotations

import argparse
import math


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"got {number}; at least 1")
    return number


def seconds(text: str) -> float:
    """Read a number of seconds above 0; inf: no limit."""
    if not (number := float(text)) > 0:  # nan is not
        raise argparse.ArgumentTypeError(f"got {text}; more than 0")
    return number


def finite_positive(text: str) -> float:
    """Read a finite number above 0."""
    if not (number := finite_not_negative(text)):
        raise argparse.ArgumentTypeError(f"got {text}; more than 0")
    return number


def finite_not_negative(text: str) -> float:
    """Read a finite number, 0 or more."""
    number = float(text)
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f"got {text}; at least 0")
    return number
