"""polyseme diff: compare the vectors of two artifacts on texts of your own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.formats import add_format_arguments, check_no_input
from polyseme.cli.output.lines import abridge
from polyseme.cli.output.table import print_table

if TYPE_CHECKING:
    from polyseme.artifact import Artifact
    from polyseme.runtime.verification.difference import Difference

EXTRA: Final = "server"

_SHOWN: Final = 20  # texts in the table; --json has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("a", metavar="A", type=Path, help="directory of an artifact")
    parser.add_argument("b", metavar="B", type=Path, help="directory of the other artifact")
    parser.add_argument(
        "-t",
        "--text",
        dest="texts",
        metavar="TEXT",
        action="append",
        help="text to compare on; may be repeated [a few built-in texts]",
    )
    parser.add_argument(
        "-i",
        "--input",
        metavar="FILE",
        help="file with one text a line; or .jsonl, .json, .csv, .tsv, .parquet; or one of these as .gz; -: stdin",
    )
    add_format_arguments(parser)
    parser.add_argument(
        "--min-cosine", metavar="X", type=_cosine, help="exit with 1 if the cosine of a text's vectors is lower"
    )
    parser.add_argument("--json", action="store_true", help="print every text and every layer as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare, and print the texts that differ most first."""
    from polyseme.artifact import Artifact, ArtifactError
    from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError
    from polyseme.runtime.verification.difference import compare

    texts = _texts(args)
    try:
        a, b = Artifact.open(args.a), Artifact.open(args.b)
        differences = compare(a, b, texts)
    except (ArtifactError, RuntimeUnavailableError, TokenizerError, ValueError) as error:
        raise CliError(str(error), 2) from error
    if args.json:
        print(json.dumps([_entry(text, one) for text, one in zip(texts, differences, strict=True)]))
    else:
        _draw(a, b, texts, differences)
    if args.min_cosine is not None:
        _refuse_below(args.min_cosine, differences)
    return 0


def _cosine(text: str) -> float:
    if not -1 <= (number := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"got {text}; limits -1..1")
    return number


def _texts(args: argparse.Namespace) -> list[str]:
    from polyseme.runtime.verification.selfcheck import TEXTS

    if not args.texts and args.input is None:
        check_no_input(args)
        return [text for text in TEXTS if text]
    from polyseme.cli.inputs.input_file import texts_from

    return texts_from(args)


def _draw(a: Artifact, b: Artifact, texts: list[str], differences: list[Difference]) -> None:
    ranked = sorted(zip(differences, texts, strict=True), key=lambda pair: _rank(pair[0]))
    rows = [
        (abridge(text), _tokens(one), _shown(one.cosine), _shown(min(one.layers) if one.layers else None), _worst(one))
        for one, text in ranked[:_SHOWN]
    ]
    print_table(("text:", "tokens", "cosine", "least of a token", "in layer"), rows)
    names = " and ".join(f"{artifact.manifest.name}@{artifact.manifest.version}" for artifact in (a, b))
    cosines = sorted(one.cosine for one in differences if one.cosine is not None)
    if cosines:
        middle = cosines[len(cosines) // 2]
        print(f"{names}: {len(texts)} texts, cosine {cosines[0]:.7f} at least, {middle:.7f} in the middle")
    else:
        one, other = (artifact.manifest.model.embedding.dimensions for artifact in (a, b))
        print(f"{names}: vectors of {one} and {other} dimensions")
    apart = sum(difference.layers is None for difference in differences)
    if apart:
        print(f"{apart} of {len(texts)} texts have other tokens, or layers that cannot be compared")


def _rank(one: Difference) -> float:
    return -2.0 if one.cosine is None else one.cosine


def _tokens(one: Difference) -> str:
    return str(one.tokens[0]) if one.tokens[0] == one.tokens[1] else f"{one.tokens[0]} and {one.tokens[1]}"


def _shown(cosine: float | None) -> str:
    return "-" if cosine is None else f"{cosine:.7f}"


def _worst(one: Difference) -> str:
    return "-" if one.layers is None else str(one.layers.index(min(one.layers)))


def _entry(text: str, one: Difference) -> dict[str, object]:
    layers = None if one.layers is None else list(one.layers)
    return {"text": text, "tokens": list(one.tokens), "cosine": one.cosine, "layers": layers}


def _refuse_below(least: float, differences: list[Difference]) -> None:
    for number, one in enumerate(differences):
        if one.cosine is None or not one.cosine >= least:
            raise CliError(f"texts[{number}]: cosine {_shown(one.cosine)}; at least {least:g} is asked for", 1)
