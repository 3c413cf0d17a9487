"""The evaluation set of senses.py, and the classifier that it is read with. Pure, but for reading files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from bench.lib.texts import evaluation_file
from numpy.typing import NDArray

WORDS = (
    "apple", "arm", "bank", "bass", "bow", "chair", "club", "crane", "deck", "digit",
    "hood", "java", "mole", "pitcher", "pound", "seal", "spring", "square", "trunk", "yard",
)  # fmt: skip
_MOST_WORDS = 100  # sentences of more are left out, so that all that are asked about fit
_SEED = 20261127

Span = tuple[int, int]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """One word's sentences, where the word stands in each (code points), and the number of its sense."""

    train: list[str]
    train_spans: list[Span]
    train_senses: IntArray
    test: list[str]
    test_spans: list[Span]
    test_senses: IntArray
    most_frequent: int


def mentions(word: str, train_per_sense: int, test_per_word: int) -> Mentions:
    """Drawn from CoarseWSD-20; the same ones at every call.

    Args:
        word: one of `WORDS`.
        train_per_sense: at most so many of each sense are drawn.
        test_per_word: at most so many are drawn, as often of each sense as the file has it.
    """
    draw = random.Random(f"{_SEED} {word}")
    train, test = ([*_read(word, part)] for part in ("train", "test"))
    by_sense: dict[int, list[tuple[str, Span, int]]] = {}
    for entry in train:
        by_sense.setdefault(entry[2], []).append(entry)
    chosen = [
        entry for _, each in sorted(by_sense.items()) for entry in draw.sample(each, min(train_per_sense, len(each)))
    ]
    asked = draw.sample(test, min(test_per_word, len(test)))
    return Mentions(
        train=[text for text, _, _ in chosen],
        train_spans=[span for _, span, _ in chosen],
        train_senses=np.array([sense for _, _, sense in chosen]),
        test=[text for text, _, _ in asked],
        test_spans=[span for _, span, _ in asked],
        test_senses=np.array([sense for _, _, sense in asked]),
        most_frequent=max(by_sense, key=lambda sense: len(by_sense[sense])),
    )


def nearest_centroid(train: NDArray[np.float32], senses: IntArray, test: NDArray[np.float32]) -> IntArray:
    """The sense of each row of test: that of the centroid with the highest cosine; the lower number where two tie.

    Args:
        train: [N, H].
        senses: [N], of the rows of train.
        test: [M, H].

    Returns:
        [M].
    """
    known, numbers = np.unique(senses, return_inverse=True)
    rows = _unit(train)
    centroids = _unit(np.stack([rows[numbers == number].mean(axis=0) for number in range(len(known))]))
    # To 6 places, so that equal vectors tie whatever the order of summation.
    found: IntArray = known[(_unit(test) @ centroids.T).round(6).argmax(axis=1)]
    return found


def _read(word: str, part: str) -> Iterator[tuple[str, Span, int]]:
    """Text, span and sense of each mention: a line is the number of a word, a tab, and words with spaces between."""
    lines, gold = (
        evaluation_file(f"CoarseWSD-20/{word}/{part}.{kind}.txt")
        .read_text(encoding="utf-8")
        .removesuffix("\n")
        .split("\n")
        for kind in ("data", "gold")
    )
    for line, sense in zip(lines, gold, strict=True):
        number, text = line.split("\t")
        words = text.split(" ")
        if len(words) <= _MOST_WORDS:
            start = sum(len(each) + 1 for each in words[: int(number)])
            yield text, (start, start + len(words[int(number)])), int(sense)


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    length: NDArray[np.float64] = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / length
