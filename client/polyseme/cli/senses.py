"""polyseme senses: one word in several sentences, from its one static vector to its many contextual ones."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polyseme.cli.connection import add_client_arguments, client_from
from polyseme.cli.errors import CliError
from polyseme.cli.output import print_table
from polyseme.cli.texts import add_text_arguments, texts_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from polyseme.client import Client

NAME = "senses"
HELP = "compare one word in several sentences, layer by layer, and draw it"
EXTRA = "plot"

_FORMATS = (".png", ".svg", ".html")
_MOST_COLUMNS = 12  # of a matrix that a terminal can show
_AROUND = 34  # characters shown on each side of a word


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A word where it stands, abridged.

    Attributes:
        before: what stands before it.
        word: itself, as it is written.
        after: what stands after it.
    """

    before: str
    word: str
    after: str

    def __str__(self) -> str:
        return f"{self.before}[{self.word}]{self.after}"


@dataclass(frozen=True, slots=True)
class Senses:
    """What was found.

    Attributes:
        word: what was looked for.
        model: the model's name.
        occurrences: K of them.
        layers: names of the states, "static", "0" .. "L".
        cosines: [states, K, K] between the occurrences.
        shown: name of the layer that was asked for.
        matrix: [K, K] of that layer.
    """

    word: str
    model: str
    occurrences: list[Occurrence]
    layers: list[str]
    cosines: NDArray[np.float64]
    shown: str
    matrix: NDArray[np.float64]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("word", metavar="WORD", help="the word to look for")
    add_text_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument(
        "--layer",
        default="last",
        help="the layer of the matrix and the map: last, static, a number from 0 or from -1, or sum4, the sum of the "
        "last four [%(default)s]",
    )
    parser.add_argument("--ignore-case", action="store_true", help="find the word in any case")
    parser.add_argument("--partial-word", action="store_true", help="find the word inside others too")
    parser.add_argument("-o", "--output", metavar="FILE", help="draw a picture: .png, .svg, or .html in one file")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the cosines between all occurrences; draw them."""
    target = _checked_output(args.output)
    sentences = texts_from(args)
    with client_from(args) as client:
        senses = _senses(client, args, sentences)
    if args.json:
        print(json.dumps(_as_json(senses)))
    else:
        _print(senses)
    if target is not None:
        from polyseme.cli.picture import draw

        draw(senses, target)
    return 0


def _checked_output(name: str | None) -> Path | None:
    """Refuse a picture that could not be written, before any work is done for it."""
    if name is None:
        return None
    path = Path(name)
    if path.suffix.lower() not in _FORMATS:
        raise CliError(f"-o {name}: a picture is {', '.join(_FORMATS)}", 2)
    if not path.parent.is_dir():
        raise CliError(f"-o {name}: there is no folder {path.parent}", 2)
    import matplotlib  # noqa: F401  missing: said before the server is called

    return path


def _senses(client: Client, args: argparse.Namespace, sentences: Sequence[str]) -> Senses:
    import numpy as np

    from polyseme.client import InvalidArgumentError, Word

    model = client.model()
    states = model.num_hidden_layers + 2
    chosen = _chosen(args.layer, model.num_hidden_layers)
    word = Word(args.word, partial_word=args.partial_word, ignore_case=args.ignore_case)
    try:
        found = client.embed_words(
            list(sentences),
            words=[word],
            layers=("static", *range(model.num_hidden_layers + 1)),
            combine="none",
            truncate=args.truncate,
            prompt_name=args.prompt_name,
        )
    except InvalidArgumentError as error:
        raise _explained(error) from error
    vectors = np.concatenate([each.vectors for each in found], axis=1).astype(np.float64)
    occurrences = [
        _occurrence(sentence, start, end)
        for sentence, each in zip(sentences, found, strict=True)
        for start, end in each.spans
    ]
    return Senses(
        word=args.word,
        model=model.name,
        occurrences=occurrences,
        layers=["static", *(str(layer) for layer in range(states - 1))],
        cosines=_cosines(vectors),
        shown="the sum of the last four layers" if chosen == _LAST_FOUR else _named(chosen[0]),
        matrix=_cosines(vectors[list(chosen)].sum(axis=0, keepdims=True))[0],
    )


_LAST_FOUR = (-4, -3, -2, -1)


def _chosen(layer: str, num_hidden_layers: int) -> tuple[int, ...]:
    """The states whose sum is shown, as indices into static, 0 .. L."""
    if layer == "sum4" and num_hidden_layers >= len(_LAST_FOUR):
        return _LAST_FOUR
    if layer in ("last", "static"):
        return (num_hidden_layers + 1 if layer == "last" else 0,)
    try:
        number = int(layer)
    except ValueError:
        number = num_hidden_layers + 1
    if not -num_hidden_layers - 1 <= number <= num_hidden_layers:
        raise CliError(f"--layer {layer}: last, static, sum4, or {-num_hidden_layers - 1}..{num_hidden_layers}", 2)
    return (1 + number if number >= 0 else num_hidden_layers + 2 + number,)


def _named(state: int) -> str:
    return "static" if state == 0 else f"layer {state - 1}"


def _explained(error: Exception) -> Exception:
    """Say which sentence lacks the word; all else is the server's to say."""
    place = re.search(r"\[(\d+)\].*: not found", str(error))
    return CliError(f"sentence {int(place[1]) + 1} has no such word") if place else error


def _occurrence(sentence: str, start: int, end: int) -> Occurrence:
    before, after = sentence[:start], sentence[end:]
    return Occurrence(
        before=_line("…" + before[-_AROUND:] if len(before) > _AROUND else before),
        word=_line(sentence[start:end]),
        after=_line(after[:_AROUND] + "…" if len(after) > _AROUND else after),
    )


def _line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _cosines(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S, K, H] to [S, K, K]."""
    import numpy as np

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-12)
    cosines: NDArray[np.float64] = np.clip(unit @ unit.transpose(0, 2, 1), -1, 1)
    return cosines


def _pairs(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosines of all pairs, each once."""
    import numpy as np

    pairs: NDArray[np.float64] = matrix[np.triu_indices(len(matrix), 1)]
    return pairs


def _print(senses: Senses) -> None:
    count = len(senses.occurrences)
    numbers = [str(number) for number in range(1, count + 1)] if count <= _MOST_COLUMNS else []
    rows = [
        (str(at), str(occurrence), *(f"{cosine:.4f}" for cosine in row[: len(numbers)]))
        for at, (occurrence, row) in enumerate(zip(senses.occurrences, senses.matrix, strict=True), 1)
    ]
    print_table(("", f"cosines at {senses.shown}:", *numbers), rows, min_width=90 + 9 * len(numbers))
    if count < 2:
        return
    spread = [
        (name, f"{pairs.min():.4f}", f"{pairs.mean():.4f}", f"{pairs.max():.4f}")
        for name, pairs in ((name, _pairs(matrix)) for name, matrix in zip(senses.layers, senses.cosines, strict=True))
    ]
    print_table(("layer:", "least", "mean", "most"), spread, caption=f"cosines of pairs, {senses.model}")


def _as_json(senses: Senses) -> dict[str, object]:
    return {
        "word": senses.word,
        "model": senses.model,
        "occurrences": [{"before": each.before, "word": each.word, "after": each.after} for each in senses.occurrences],
        "layers": senses.layers,
        "cosines": senses.cosines.round(6).tolist(),
        "shown": senses.shown,
        "matrix": senses.matrix.round(6).tolist(),
    }
