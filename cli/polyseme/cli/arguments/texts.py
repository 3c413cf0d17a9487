"""Declare the sources of a subcommand's texts."""

from __future__ import annotations

import argparse

from polyseme.cli.inputs.formats import add_format_arguments


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sources of texts."""
    parser.add_argument("texts", metavar="TEXT", nargs="*", help="texts, in place of --input")
    parser.add_argument(
        "-i",
        "--input",
        metavar="FILE",
        help="file with one text a line; or .jsonl, .json, .csv, .tsv, .parquet; or one of these as .gz; -: stdin "
        "[stdin if no TEXT]",
    )
    add_format_arguments(parser)


def add_text_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sources of texts, and the options for all of them."""
    add_source_arguments(parser)
    parser.add_argument(
        "--truncate",
        choices=["none", "end", "start"],
        default="none",
        help="end at which a text that is too long is cut; none: refuse it [%(default)s]",
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
