"""Read a subcommand's texts from its arguments, a file, or stdin."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from polyseme.cli.errors import CliError


def add_text_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sources of texts, and the options for all of them."""
    parser.add_argument("texts", metavar="TEXT", nargs="*", help="texts, in place of --input")
    parser.add_argument(
        "-i",
        "--input",
        metavar="FILE",
        help='file with one text a line; if it ends in .jsonl, one {"text": ...} a line; -: stdin [stdin if no TEXT]',
    )
    parser.add_argument(
        "--truncate",
        choices=["none", "end", "start"],
        default="none",
        help="end at which texts are cut if too long; none: refuse them [%(default)s]",
    )
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument(
        "--prompt-name",
        metavar="NAME",
        help="name of the model's prompt to put before each text [the model's default prompt]",
    )
    prompt.add_argument(
        "--without-prompt", action="store_true", help="put no prompt before a text, not even the model's default prompt"
    )


def texts_from(args: argparse.Namespace) -> list[str]:
    """Read the texts.

    Raises:
        CliError: there are no texts, there are two sources, or the file cannot be read.
    """
    if args.texts and args.input:
        raise CliError("texts come from the command line or from --input, not both", 2)
    if args.texts:
        return list(args.texts)
    if args.input is None and sys.stdin.isatty():
        raise CliError("no texts: give them as arguments, with --input FILE, or on stdin", 2)
    name = args.input or "-"
    try:
        content = (sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise CliError(f"cannot read {name}: {error.strerror}", 2) from error
    except UnicodeDecodeError as error:
        raise CliError(f"{name} is not UTF-8: byte {error.start}", 2) from None
    # Not splitlines(): it also splits at U+2028 and others, which may stand inside a text.
    lines = [line.removesuffix("\r") for line in content.removesuffix("\n").split("\n")] if content else []
    texts = [_json_text(line, name, at) for at, line in enumerate(lines, 1)] if name.endswith(".jsonl") else lines
    if not texts:
        raise CliError(f"{'stdin' if name == '-' else name} has no texts", 2)
    return texts


def _json_text(line: str, name: str, at: int) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
        raise CliError(f'{name} line {at} is not {{"text": ...}}', 2)
    return str(entry["text"])
