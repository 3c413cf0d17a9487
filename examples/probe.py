"""A head on frozen vectors: how good it is by layer, and by how many examples it is trained on.

Usage: python examples/probe.py [--target HOST:PORT]

The target is a server: `make serve` leaves one on localhost:50051, the default. The task: which of four presidents said
a sentence. Logistic regression in numpy on vectors of the server; nothing of the model is trained.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from polyseme.client import Client, PolysemeError

DATA = Path(__file__).parent / "data" / "addresses.tsv"
SIZES = (8, 16, 32, 64, 128)  # sentences of each class
SEEDS = 10
STEPS = 300
PENALTY = 1e-3  # L2, on vectors whose mean square length is 1
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Sentences and who said them."""

    sentences: list[str]
    labels: IntArray


def read(part: str) -> Part:
    """The part `train` or `test`."""
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["part"] == part]
    names = sorted({row["president"] for row in rows})
    return Part(
        sentences=[row["sentence"] for row in rows],
        labels=np.array([names.index(row["president"]) for row in rows]),
    )


def features(client: Client, sentences: list[str], num_hidden_layers: int) -> dict[str, Float64Array]:
    """Vectors of each sentence by layer: the mean over its tokens; and the model's own text vector."""
    layers: list[int | Literal["static"]] = ["static", *range(num_hidden_layers + 1)]
    spans = [[(0, len(sentence))] for sentence in sentences]
    found = client.embed_words(sentences, spans=spans, layers=layers, combine="none", normalize=True)
    vectors = np.stack([entry.vectors[:, 0] for entry in found], axis=1).astype(np.float64)
    named = {f"layer {layer}" if layer != "static" else "static": v for layer, v in zip(layers, vectors, strict=True)}
    return {**named, "text vector": client.embed(sentences).astype(np.float64)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A linear classifier: shift and scale of the vectors, then weights [D + 1, C]."""

    mean: Float64Array
    scale: float
    weights: Float64Array

    def classes(self, x: Float64Array) -> IntArray:
        """The class of each vector."""
        scores: Float64Array = with_ones((x - self.mean) / self.scale) @ self.weights
        classes: IntArray = scores.argmax(axis=1)
        return classes


def trained(x: Float64Array, labels: IntArray) -> Head:
    """Softmax regression with an L2 penalty, by accelerated gradient descent (Nesterov 1983)."""
    mean = x.mean(axis=0)
    scale = float(np.sqrt(((x - mean) ** 2).sum(axis=1).mean()))
    x, wanted = with_ones((x - mean) / scale), np.eye(labels.max() + 1)[labels]
    weights = ahead = np.zeros((x.shape[1], wanted.shape[1]))
    step = 1 / (np.linalg.norm(x, 2) ** 2 / len(x) / 2 + PENALTY)  # the loss curves no more than this
    for number in range(STEPS):
        gradient = x.T @ (softmax(x @ ahead) - wanted) / len(x) + PENALTY * ahead
        before, weights = weights, ahead - step * gradient
        ahead = weights + number / (number + 3) * (weights - before)
    return Head(mean=mean, scale=scale, weights=weights)


def softmax(scores: Float64Array) -> Float64Array:
    """Probabilities, row by row."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Float64Array = raised / raised.sum(axis=1, keepdims=True)
    return shares


def with_ones(x: Float64Array) -> Float64Array:
    """A column of ones on the right, for the bias."""
    return np.hstack([x, np.ones((len(x), 1))])


def drawn(labels: IntArray, size: int, seed: int) -> IntArray:
    """Indices of so many sentences of each class."""
    draw = np.random.default_rng(seed)
    return np.concatenate([draw.permutation(np.flatnonzero(labels == c))[:size] for c in range(labels.max() + 1)])


def found(train: Float64Array, labels: IntArray, test: Float64Array, test_labels: IntArray) -> list[Float64Array]:
    """For each size [SEEDS, N]: 1 where a head finds the class of a test sentence; a row for each draw to train on."""
    return [
        np.array(
            [
                trained(train[chosen], labels[chosen]).classes(test) == test_labels
                for chosen in (drawn(labels, size, seed) for seed in range(SEEDS))
            ],
            dtype=np.float64,
        )
        for size in SIZES
    ]


def show(target: str) -> None:
    """Train a head for every layer, size and draw; print the table."""
    train, test = read("train"), read("test")
    with Client(target, timeout=300) as client:
        model = client.model()
        known = features(client, train.sentences, model.num_hidden_layers)
        asked = features(client, test.sentences, model.num_hidden_layers)
    print(f"{model.identity.name}: who said it? {len(test.sentences)} sentences of other addresses; chance is 0.25")
    print(f"accuracy, mean of {SEEDS} draws of the training sentences ± standard error of that mean\n")
    print(f"{'sentences of each class':<24}" + "".join(f"{size:>16}" for size in SIZES))
    by_sentence = {}
    for name, vectors in known.items():
        hits = found(vectors, train.labels, asked[name], test.labels)
        by_sentence[name] = hits[-1].mean(axis=0)
        accuracies = [of_size.mean(axis=1) for of_size in hits]
        print(f"{name:<24}" + "".join(f"{a.mean():>8.3f} ± {a.std(ddof=1) / SEEDS**0.5:.3f}" for a in accuracies))
    best = max(by_sentence, key=lambda name: float(by_sentence[name].mean()))
    gain = by_sentence[best] - by_sentence["text vector"]
    error = gain.std(ddof=1) / len(gain) ** 0.5
    print(
        f"\n{best} against text vector, {SIZES[-1]} of each class: {gain.mean():+.3f} ± {error:.3f} over test sentences"
    )


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Train a head on frozen vectors, by layer and by number of examples.")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    try:
        show(parser.parse_args().target)
    except PolysemeError as error:
        print(f"probe: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
