"""Entities in texts, found by a head of the served model, and how many of them are right.

Usage: python examples/tasks/entities.py [--head NAME] [--target HOST:PORT]

The target serves an artifact that `polyseme fit --entities` made of the sentences of templates.py; docs/tasks.md has
the commands. The figures are of sentences whose templates and names it has not seen. They are a demonstration.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from templates import entities  # type: ignore[import-not-found]  # beside this file

from polyseme.client import Client, PolysemeError

SHOWN = 4


def show(target: str, head: str) -> None:
    """Print some sentences with what is found, and the figures of each label."""
    rows = entities("test")
    with Client(target, timeout=300) as client:
        tagged = client.entities([row["text"] for row in rows], head=head)
        print(f"{client.model().name}: entities of {len(rows)} sentences from templates that the head has not seen\n")
    found, spans, right = Counter[str](), Counter[str](), Counter[str]()
    for number, (row, each) in enumerate(zip(rows, tagged, strict=True)):
        here = {(entity.start, entity.end, entity.group) for entity in each.entities}
        there = {(span["start"], span["end"], span["label"]) for span in row["entities"]}
        for counts, of in ((found, here), (spans, there), (right, here & there)):
            counts.update(label for *_, label in of)
        if number < SHOWN:
            print(f"{row['text']}\n    " + ", ".join(f"{entity.group} {entity.text}" for entity in each.entities))
    print(f"\n{'':<6}{'spans':>6}{'precision':>11}{'recall':>8}{'F1':>6}")
    for label in sorted(spans):
        precision, recall = right[label] / max(found[label], 1), right[label] / spans[label]
        f1 = 2 * right[label] / (found[label] + spans[label])
        print(f"{label:<6}{spans[label]:>6}{precision:>11.2f}{recall:>8.2f}{f1:>6.2f}")


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Find entities, and count those that are right.")
    parser.add_argument("--head", metavar="NAME", default="", help="head that labels tokens [the only one]")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    arguments = parser.parse_args()
    try:
        show(arguments.target, arguments.head)
    except PolysemeError as error:
        print(f"entities: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
