"""The sentences that say most of what a text says: an extractive summary by sentence vectors.

Usage: python examples/tasks/summary.py [FILE] [--sentences N] [--target HOST:PORT]

The target is a server: `make serve` leaves one on localhost:50051, the default. FILE is a text; without it, the
Gettysburg Address. Sentences are chosen one after the other: each time the one whose vector, added to those chosen,
comes closest to the mean of all sentences.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyseme.client import Client, PolysemeError

TEXT = Path(__file__).parents[1] / "data" / "gettysburg.txt"
DRAWS = 1000
FloatArray = NDArray[np.float32]


def split(text: str) -> list[str]:
    """Sentences; good enough for text without abbreviations."""
    return re.split(r"(?<=[.?!])\s+", text)


def chosen(vectors: FloatArray, count: int) -> list[int]:
    """Indices of the sentences of a summary, in the order of the text.

    Args:
        vectors: [N, H], of all sentences.
        count: of sentences in the summary.
    """
    summary: list[int] = []
    for _ in range(min(count, len(vectors))):
        others = [index for index in range(len(vectors)) if index not in summary]
        summary.append(max(others, key=lambda index: coverage(vectors, [*summary, index])))
    return sorted(summary)


def coverage(vectors: FloatArray, summary: list[int]) -> float:
    """Cosine of the mean of some sentences and the mean of all."""
    part, whole = vectors[summary].mean(axis=0), vectors.mean(axis=0)
    return float(part @ whole / np.linalg.norm(part) / np.linalg.norm(whole))


def show(target: str, text: str, count: int) -> None:
    """Print the summary, and how much it covers."""
    with Client(target) as client:
        found = client.embed_passages(" ".join(text.split()), split)
    summary = chosen(found.vectors, count)
    for index in summary:
        print(found.texts[index])
    draw = np.random.default_rng(0)
    drawn = [coverage(found.vectors, draw.permutation(len(found))[: len(summary)].tolist()) for _ in range(DRAWS)]
    print(f"\n{len(summary)} of {len(found)} sentences; cosine of their mean and the mean of all:")
    print(f"  these             {coverage(found.vectors, summary):.3f}")
    print(f"  the first ones    {coverage(found.vectors, list(range(len(summary)))):.3f}")
    print(f"  drawn by chance   {np.mean(drawn):.3f}")


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Choose the sentences of a text that say most of it.")
    parser.add_argument(
        "file", metavar="FILE", type=Path, nargs="?", default=TEXT, help="text [the Gettysburg Address]"
    )
    parser.add_argument("--sentences", metavar="N", type=int, default=3, help="sentences of the summary [%(default)s]")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    arguments = parser.parse_args()
    try:
        show(arguments.target, arguments.file.read_text(encoding="utf-8"), arguments.sentences)
    except (PolysemeError, OSError) as error:
        print(f"summary: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
