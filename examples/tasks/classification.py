"""Texts into classes by a linear head on frozen vectors; which layer is best, cross-validation says.

Usage: python examples/tasks/classification.py [FILE] [--text COLUMN] [--label COLUMN] [--target HOST:PORT]
Needs `pip install scikit-learn`, as nothing else here does.

The target is a server: `make serve` leaves one on localhost:50051, the default. FILE has tabs between columns, and
names them in its first line. Without it, examples/data/addresses.tsv: which of four presidents said a sentence.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from polyseme.client import Client, PolysemeError

DATA = Path(__file__).parents[1] / "data" / "addresses.tsv"
FOLDS = 5
TEXT_VECTOR = "text vector"
FloatArray = NDArray[np.float32]


def read(path: Path, text: str, label: str) -> tuple[list[str], list[str]]:
    """Texts and their labels."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [row[text] for row in rows], [row[label] for row in rows]


def vectors_of(client: Client, texts: list[str]) -> dict[str, FloatArray]:
    """[N, H] by layer, the mean over a text's tokens; and the model's own vectors of texts."""
    layers = range(client.model().num_hidden_layers + 1)
    spans = [[(0, len(text))] for text in texts]
    found = client.embed_words(texts, spans=spans, layers=layers, combine="none", truncate="end")
    each = np.stack([entry.vectors[:, 0] for entry in found], axis=1)
    named = {f"layer {layer}": vectors for layer, vectors in zip(layers, each, strict=True)}
    return {**named, TEXT_VECTOR: client.embed(texts, truncate="end")}


def head() -> Pipeline:
    """A linear classifier that is not trained yet."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))


def predicted(vectors: FloatArray, labels: list[str]) -> NDArray[np.str_]:
    """The class of each text, by a head that was trained on the other folds."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    classes: NDArray[np.str_] = cross_val_predict(head(), vectors, labels, cv=folds)
    return classes


def show(target: str, texts: list[str], labels: list[str]) -> None:
    """Print the accuracy by layer, and what is taken for what."""
    with Client(target, timeout=300) as client:
        named = vectors_of(client, texts)
        print(
            f"{client.model().name}: {len(texts)} texts, {len(set(labels))} classes; {FOLDS} folds, ± standard error\n"
        )
    right = {name: predicted(vectors, labels) == np.array(labels) for name, vectors in named.items()}
    for name, hits in right.items():
        print(f"{name:<12} {hits.mean():.3f} ± {np.sqrt(hits.mean() * (1 - hits.mean()) / len(hits)):.3f}")
    best = max(right, key=lambda name: float(right[name].mean()))
    classes = sorted(set(labels))
    print(f"\n{best}; rows: what it is, columns: what it is taken for")
    print(f"{'':<12}" + "".join(f"{name[:10]:>12}" for name in classes))
    for name, row in zip(classes, confusion_matrix(labels, predicted(named[best], labels)), strict=True):
        print(f"{name[:10]:<12}" + "".join(f"{count:>12}" for count in row))


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Train a linear head on frozen vectors, layer by layer.")
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", default=DATA, help="[who said a sentence]")
    parser.add_argument("--text", metavar="COLUMN", default="sentence", help="column of the text [%(default)s]")
    parser.add_argument("--label", metavar="COLUMN", default="president", help="column of the class [%(default)s]")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    arguments = parser.parse_args()
    try:
        show(arguments.target, *read(arguments.file, arguments.text, arguments.label))
    except KeyError as error:
        print(f"classification: {arguments.file} has no column {error}", file=sys.stderr)
        return 1
    except (PolysemeError, OSError) as error:
        print(f"classification: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
