"""Which word of a sentence is which word of its translation: alignment by the vectors of words in context.

Usage: python examples/tasks/alignment.py [SENTENCE TRANSLATION] [--layer N] [--target HOST:PORT]

The target is a server: `make serve` leaves one on localhost:50051, the default. Two words are a pair where each is the
other's closest. Without sentences, 24 pairs of examples/data/translations.tsv, written and aligned by hand for this
file: English in other words, in German and in Spanish.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyseme.client import Client, PolysemeError

DATA = Path(__file__).parents[1] / "data" / "translations.tsv"
LANGUAGES = {"en": "English, in other words", "de": "German", "es": "Spanish"}
Pairs = set[tuple[int, int]]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A sentence, its translation, and which words are pairs; words are counted from 0, as str.split finds them."""

    language: str
    english: str
    other: str
    pairs: Pairs


def read() -> list[Translation]:
    """The sentences of the file."""
    with DATA.open(encoding="utf-8", newline="") as file:
        return [
            Translation(
                language=row["language"],
                english=row["english"],
                other=row["other"],
                pairs={(int(a), int(b)) for a, b in (pair.split("-") for pair in row["alignment"].split())},
            )
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each word, punctuation included."""
    ends = np.cumsum([len(word) + 1 for word in text.split(" ")]).tolist()
    return [(end - 1 - len(word), end - 1) for word, end in zip(text.split(" "), ends, strict=True)]


def word_vectors(client: Client, texts: list[str], layer: int) -> list[FloatArray]:
    """[words, H] of each text, of length 1."""
    found = client.embed_words(texts, spans=[spans(text) for text in texts], layers=layer, normalize=True)
    return [each.vectors for each in found]


def mutual(a: FloatArray, b: FloatArray) -> Pairs:
    """Words that are each other's closest.

    Args:
        a: [N, H], of length 1.
        b: [M, H], of length 1.
    """
    scores = a @ b.T
    forth, back = scores.argmax(axis=1), scores.argmax(axis=0)
    return {(i, int(j)) for i, j in enumerate(forth) if back[j] == i}


def diagonal(count: int, others: int) -> Pairs:
    """Words at the same place of their sentences: what needs no vectors."""
    return {(i, round(i * (others - 1) / max(count - 1, 1))) for i in range(count)}


def f1(found: list[Pairs], right: list[Pairs]) -> float:
    """Harmonic mean of precision and recall, over the pairs of all sentences."""
    hits = sum(len(a & b) for a, b in zip(found, right, strict=True))
    return 2 * hits / sum(len(each) for each in [*found, *right])


def show_all(client: Client) -> None:
    """Print how well each language is aligned, layer by layer."""
    sentences = read()
    layers = range(client.model().num_hidden_layers + 1)
    print(f"{client.model().name}, F1 of {len(sentences)} sentences that were aligned by hand\n")
    print(f"{'':<26}{'place':>7}" + "".join(f"{f'layer {layer}':>9}" for layer in layers))
    for language, name in LANGUAGES.items():
        chosen = [each for each in sentences if each.language == language]
        right = [each.pairs for each in chosen]
        places = [diagonal(len(each.english.split()), len(each.other.split())) for each in chosen]
        figures = []
        for layer in layers:
            vectors = (word_vectors(client, [getattr(s, side) for s in chosen], layer) for side in ("english", "other"))
            figures.append(f1([mutual(a, b) for a, b in zip(*vectors, strict=True)], right))
        print(f"{name:<26}{f1(places, right):>7.2f}" + "".join(f"{figure:>9.2f}" for figure in figures))


def show_pair(client: Client, sentence: str, translation: str, layer: int) -> None:
    """Print the pairs of two sentences."""
    a, b = word_vectors(client, [sentence, translation], layer)
    words, others = sentence.split(" "), translation.split(" ")
    for i, j in sorted(mutual(a, b)):
        print(f"{float(a[i] @ b[j]):.2f}  {words[i]} - {others[j]}")


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Align the words of a sentence with those of its translation.")
    parser.add_argument("sentences", metavar="SENTENCE TRANSLATION", nargs="*", help="[those of the file]")
    parser.add_argument("--layer", metavar="N", type=int, default=-1, help="layer for two sentences [the last]")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    arguments = parser.parse_args()
    if len(arguments.sentences) not in (0, 2):
        parser.error(f"got {len(arguments.sentences)} sentences; none or two are valid")
    texts = [" ".join(each.split()) for each in arguments.sentences]
    try:
        with Client(arguments.target) as client:
            if texts:
                show_pair(client, texts[0], texts[1], arguments.layer)
            else:
                show_all(client)
    except PolysemeError as error:
        print(f"alignment: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
