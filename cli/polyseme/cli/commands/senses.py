"""polyseme senses: compare a word in several sentences, from its one static vector to its contextual ones."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.texts import add_text_arguments
from polyseme.cli.arguments.words import add_word_arguments
from polyseme.cli.errors import CliError
from polyseme.cli.inputs.input_file import texts_from
from polyseme.cli.output.table import print_table
from polyseme.cli.senses.occurrences import check_layer, find_senses, pairs_of

if TYPE_CHECKING:
    from polyseme.cli.senses.occurrences import Occurrence, Senses
    from polyseme.client import TextOptions

EXTRA: Final = "plot"

_FORMATS: Final = (".png", ".svg", ".html")
_MAX_COLUMNS: Final = 12  # of a matrix that a terminal can show
_MAX_DRAWN: Final = 120  # occurrences that a picture has room for
_AROUND: Final = 34  # characters shown on each side of a word


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("word", metavar="WORD", help="word to find")
    add_text_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument(
        "--layer",
        default="last",
        help="layer of the matrix and the map: last, static, a number from 0 up or from -1 down, or sum4, the sum of "
        "the last four [%(default)s]",
    )
    add_word_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="draw a picture: .png, .svg, or self-contained .html")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the cosines between all occurrences; draw them."""
    from polyseme.client import Word

    if not args.word.strip():
        raise CliError("WORD is empty", 2)
    check_layer(args.layer)
    target = _checked_output(args.output)
    sentences = texts_from(args)
    word = Word(args.word, partial_word=args.partial_word, ignore_case=args.ignore_case)
    options: TextOptions = {
        "truncate": args.truncate,
        "prompt_name": args.prompt_name,
        "without_prompt": args.without_prompt,
    }
    with client_from(args) as client:
        senses = find_senses(client, word, sentences, args.layer, **options)
    if target is not None and len(senses.occurrences) > _MAX_DRAWN:
        raise CliError(f"-o {target}: {len(senses.occurrences)} occurrences; a picture has room for {_MAX_DRAWN}")
    if target is not None:
        from polyseme.cli.senses.picture import draw

        draw(senses, target)
    if args.json:
        print(json.dumps(_as_json(senses)))
    else:
        _print(senses)
    return 0


def _checked_output(name: str | None) -> Path | None:
    """Check the path of the picture before any work is done; None: no picture."""
    if name is None:
        return None
    path = Path(name)
    if path.suffix.lower() not in _FORMATS:
        raise CliError(f"-o {name}: a picture is {', '.join(_FORMATS)}", 2)
    if not path.parent.is_dir():
        raise CliError(f"-o {name}: there is no folder {path.parent}", 2)
    import matplotlib  # noqa: F401  fails here if it is missing, before the server is called

    return path


def _print(senses: Senses) -> None:
    count = len(senses.occurrences)
    fits = count <= _MAX_COLUMNS or not sys.stdout.isatty()
    numbers = [str(number) for number in range(1, count + 1)] if fits else []
    rows = [
        (str(at), _marked(occurrence), *(f"{cosine:.4f}" for cosine in row[: len(numbers)]))
        for at, (occurrence, row) in enumerate(zip(senses.occurrences, senses.matrix, strict=True), 1)
    ]
    heading = f"cosines at {senses.shown}:" if fits else "occurrences:"
    hint = None if fits else f"the {count} x {count} cosines: --json, -o FILE, or through a pipe"
    print_table(("", heading, *numbers), rows, caption=hint, min_width=90 + 9 * len(numbers))
    if count < 2:
        return
    spread = [
        (name, f"{pairs.min():.4f}", f"{pairs.mean():.4f}", f"{pairs.max():.4f}")
        for name, pairs in (
            (name, pairs_of(matrix)) for name, matrix in zip(senses.layers, senses.cosines, strict=True)
        )
    ]
    print_table(("layer:", "least", "mean", "most"), spread, caption=f"cosines of pairs, {senses.model}")


def _marked(occurrence: Occurrence) -> str:
    before, word, after = occurrence.in_context(_AROUND)
    return f"{before}[{word}]{after}"


def _as_json(senses: Senses) -> dict[str, object]:
    return {
        "word": senses.word,
        "model": senses.model,
        "occurrences": [
            {
                "sentence": each.sentence,
                "start": each.start,
                "end": each.end,
                "before": each.text[: each.start],
                "word": each.text[each.start : each.end],
                "after": each.text[each.end :],
            }
            for each in senses.occurrences
        ],
        "layers": senses.layers,
        "cosines": senses.cosines.round(6).tolist(),
        "shown": senses.shown,
        "matrix": senses.matrix.round(6).tolist(),
    }
