"""Which sentence says the same: similarity of whole sentences.

Usage: python examples/tasks/similarity.py [--target HOST:PORT]

The target is a server: `make serve` leaves one on localhost:50051, the default. Each sentence of
examples/data/translations.tsv is looked for among those that say the same in other words, in German, in Spanish.
"""

from __future__ import annotations

import argparse
import sys

from alignment import LANGUAGES, read  # type: ignore[import-not-found]  # beside this file

from polyseme.client import Client, PolysemeError


def show(target: str) -> None:
    """Print each pair and, for each language, how many were found."""
    sentences = read()
    with Client(target) as client:
        print(f"{client.model().name}, cosine with the closest of eight")
        for language, name in LANGUAGES.items():
            chosen = [each for each in sentences if each.language == language]
            scores, indices = client.top_k([s.english for s in chosen], [s.other for s in chosen], k=1)
            right = 0
            print()
            for number, (each, score, index) in enumerate(zip(chosen, scores[:, 0], indices[:, 0], strict=True)):
                right += int(index == number)
                mark = " " if index == number else "x"
                print(f"{mark} {score:.2f}  {each.english:<44} {chosen[index].other}")
            print(f"{name}: {right} of {len(chosen)} found")


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Find the sentences that say the same.")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    try:
        show(parser.parse_args().target)
    except PolysemeError as error:
        print(f"similarity: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
