"""Good or bad: the sentiment of a sentence, by a linear head on frozen vectors.

Usage: python examples/tasks/sentiment.py [SENTENCE ...] [--target HOST:PORT]
Needs `pip install scikit-learn`, as nothing else here does.

The target is a server: `make serve` leaves one on localhost:50051, the default. The head is trained on 80 sentences of
examples/data/opinions.tsv, written for this file, and says what it finds in the SENTENCEs. classification.py measures
how good such a head is on texts of your own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from classification import TEXT_VECTOR, head, predicted, read, vectors_of  # type: ignore[import-not-found]  # beside this file

from polyseme.client import Client, PolysemeError

DATA = Path(__file__).parents[1] / "data" / "opinions.tsv"
SENTENCES = ["The waiter was rude and the food was cold.", "We had a lovely time.", "It is not bad at all."]


def show(target: str, sentences: list[str]) -> None:
    """Print how often heads are right on sentences that they were not trained on, and what the best says of these."""
    texts, labels = read(DATA, "sentence", "opinion")
    with Client(target, timeout=300) as client:
        known, asked = vectors_of(client, texts), vectors_of(client, sentences)
        print(f"{client.model().name}: share of {len(texts)} sentences that a head trained on others gets right")
    right = {name: float((predicted(vectors, labels) == np.array(labels)).mean()) for name, vectors in known.items()}
    best = max(right, key=lambda name: right[name])
    print(f"{best} {right[best]:.2f} (the best of {len(right)}), {TEXT_VECTOR} {right[TEXT_VECTOR]:.2f}\n")
    trained = head().fit(known[best], labels)
    for sentence, chances in zip(sentences, trained.predict_proba(asked[best]), strict=True):
        print(f"{trained.classes_[chances.argmax()]:<5}{chances.max():.2f}  {sentence}")


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Say whether sentences are good or bad.")
    parser.add_argument("sentences", metavar="SENTENCE", nargs="*", default=SENTENCES, help="[three of its own]")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    arguments = parser.parse_args()
    try:
        show(arguments.target, arguments.sentences)
    except PolysemeError as error:
        print(f"sentiment: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
