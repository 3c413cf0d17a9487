"""STS Benchmark dev through a running server: Spearman's rank correlation of cosine and human judgement.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.sts [TARGET]
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from typing import Final

import numpy as np
from bench.lib.machine import heading
from bench.lib.texts import evaluation_file
from scipy.stats import spearmanr

from polyseme.client import Client

FILE: Final = "stsbenchmark-dev.tsv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of sentences.

    Attributes:
        left, right: the sentences of each pair.
        judged: how similar people found them, 0 to 5.
    """

    left: list[str]
    right: list[str]
    judged: list[float]


def pairs() -> Pairs:
    """The pairs of the file in the evaluation folder."""
    with evaluation_file(FILE).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) >= 7]
    return Pairs(left=[row[5] for row in rows], right=[row[6] for row in rows], judged=[float(row[4]) for row in rows])


def spearman(client: Client, given: Pairs) -> float:
    """The rank correlation of the cosines of the server's vectors with what people found."""
    left, right = client.embed(given.left), client.embed(given.right)
    cosine = np.einsum("nd,nd->n", left, right) / (np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1))
    return float(spearmanr(cosine, given.judged).statistic)


def main() -> None:
    given = pairs()
    with Client(sys.argv[1] if len(sys.argv) > 1 else "localhost:50051") as client:
        model, found = client.model().identity, spearman(client, given)
    print(heading())
    print(f"model:   {model.name}@{model.version}, {model.precision} on {model.execution_provider}")
    print(f"{FILE}: {len(given.judged)} pairs, Spearman {found:.4f}")


if __name__ == "__main__":
    main()
