"""STS Benchmark dev through a running server: Spearman's rank correlation of cosine and human judgement.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.sts [TARGET]
"""

from __future__ import annotations

import csv
import sys

import numpy as np
from bench.lib.machine import heading
from bench.lib.texts import evaluation_file
from scipy.stats import spearmanr

from polyseme.client import Client


def main() -> None:
    target = sys.argv[1] if len(sys.argv) > 1 else "localhost:50051"
    path = evaluation_file("stsbenchmark-dev.tsv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) >= 7]
    judged = np.array([float(row[4]) for row in rows])
    with Client(target) as client:
        model = client.model().identity
        left, right = (client.embed([row[column] for row in rows]) for column in (5, 6))
    cosine = np.einsum("nd,nd->n", left, right) / (np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1))
    print(heading())
    print(f"model:   {model.name}@{model.version}, {model.precision} on {model.execution_provider}")
    print(f"{path.name}: {len(rows)} pairs, Spearman {spearmanr(cosine, judged).statistic:.4f}")


if __name__ == "__main__":
    main()
