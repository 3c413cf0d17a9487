"""Which layer tells the senses of a word: CoarseWSD-20 by the nearest centroid, through a running server.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.senses ARTIFACT... [-o FILE] [--kept FILE.npz]
"""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench.lib.kept import FloatArray, KeptArrays
from bench.lib.machine import heading
from bench.lib.server import server
from bench.quality.senses_data import WORDS, Mentions, mentions, nearest_centroid
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from polyseme.client import Client

TRAIN_PER_SENSE, TEST_PER_WORD = 50, 100
_PREFACE = f"""\
# Which layer: the senses of a word, by the nearest centroid

CoarseWSD-20 (Loureiro et al. 2021): 20 nouns, 2 to 5 senses each, sentences from Wikipedia in lower case. A sense's
centroid is the mean of the vectors, brought to length 1, of at most {TRAIN_PER_SENSE} mentions drawn from the train
file; a mention from the test file, of which at most {TEST_PER_WORD} a word are drawn, has the sense of the centroid
with the highest cosine. Accuracy is the mean over the 20 words; ± is one standard error, the words being the draws.
"Against the last layer" is the mean difference over the same words; beside it, of how many words a row is better,
equal, worse.
"""
_LAST = " (last)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; `accuracy` is per word, in the order of `WORDS`."""

    name: str
    accuracy: FloatArray


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("artifacts", type=Path, nargs="+", help="folders made by `polyseme export`")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the page for bench/results/")
    parser.add_argument(
        "--kept", type=Path, metavar="FILE", help="keep what is measured in this .npz, and go on from it"
    )
    arguments = parser.parse_args()
    words = {word: mentions(word, TRAIN_PER_SENSE, TEST_PER_WORD) for word in WORDS}
    count = sum(len(each.train) + len(each.test) for each in words.values())
    parts = [heading(), f"data:    CoarseWSD-20, {len(words)} words, {count} sentences"]
    for artifact in arguments.artifacts:
        with server(artifact, "--max-queue-tokens", "1000000") as target, Client(target, timeout=600) as client:
            identity = client.model().identity
            owner = f"{identity.name}@{identity.version}"
            rows = measured(client, KeptArrays(arguments.kept, owner), words)
        parts += ["", f"model:   {owner}, {identity.precision}, {identity.execution_provider}", table(rows)]
    report = "\n".join(parts)
    if arguments.output:
        arguments.output.write_text(f"{_PREFACE}\n```\n{report}\n```\n", encoding="utf-8")
    print(report)


def measured(client: Client, kept: KeptArrays, words: dict[str, Mentions]) -> list[Row]:
    """Ask the server for everything."""
    layers = client.model().num_hidden_layers
    names = ["static", "layer 0 (word + position)", *(f"layer {n}" for n in range(1, layers)), f"layer {layers}{_LAST}"]
    names += ["last four, sum", f"layers 1 to {layers}, sum", "the model's own text vector", "the most frequent sense"]
    per_word = [kept.get(f"senses, {word}", accuracies, client, found, layers) for word, found in words.items()]
    return [Row(name=name, accuracy=column) for name, column in zip(names, np.stack(per_word).T, strict=True)]


def accuracies(client: Client, found: Mentions, layers: int) -> FloatArray:
    """Of one word, every way of the table: [rows]."""
    ways = zip(
        word_vectors(client, found.train, found.train_spans, layers),
        word_vectors(client, found.test, found.test_spans, layers),
        strict=True,
    )
    texts = client.embed(found.train), client.embed(found.test)
    right = [
        float((nearest_centroid(train, found.train_senses, test) == found.test_senses).mean())
        for train, test in [*ways, texts]
    ]
    return np.array([*right, float((found.test_senses == found.most_frequent).mean())])


def word_vectors(
    client: Client, texts: list[str], spans: list[tuple[int, int]], layers: int
) -> list[NDArray[np.float32]]:
    """[N, H] of every state, then of the last four and of all layers summed."""
    states = ("static", *range(layers + 1))
    replies = client.embed_words(texts, spans=[[span] for span in spans], layers=states, combine="none")
    each = np.stack([reply.vectors[:, 0] for reply in replies], axis=1)  # [layers + 2, N, H]
    return [*each, each[-4:].sum(axis=0), each[2:].sum(axis=0)]


def table(rows: list[Row]) -> str:
    """As text."""
    console = Console(file=io.StringIO(), width=110)
    drawn = Table()
    for title in ("", "accuracy", "against the last layer", "words better / equal / worse"):
        drawn.add_column(title, justify="left" if not title else "right", no_wrap=True)
    (last,) = [row.accuracy for row in rows if row.name.endswith(_LAST)]
    for row in rows:
        gain = row.accuracy - last
        cells = [f"{row.accuracy.mean():.3f} ± {_error(row.accuracy):.3f}"]
        if row.accuracy is not last:
            cells.append(f"{gain.mean():+.3f} ± {_error(gain):.3f}")
            cells.append(f"{int((gain > 0).sum())} / {int((gain == 0).sum())} / {int((gain < 0).sum())}")
        drawn.add_row(row.name, *cells)
    console.print(drawn)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def _error(values: FloatArray) -> float:
    """Standard error of the mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    main()
