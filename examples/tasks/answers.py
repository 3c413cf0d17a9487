"""Answers to questions about a text, found by a head of the served model, and how many of them are right.

Usage: python examples/tasks/answers.py [QUESTION CONTEXT] [--target HOST:PORT]

The target serves a model that finetune_answers.py has made of the questions of templates.py; docs/tasks.md has the
commands. The figure is of questions whose templates and names it has not seen. It is a demonstration.
"""

from __future__ import annotations

import argparse
import sys

from templates import questions  # type: ignore[import-not-found]  # beside this file

from polyseme.client import Client, PolysemeError

SHOWN = 4
PORTION = 64


def show_all(client: Client) -> None:
    """Print some questions with what is found, and the share that is right, beside what needs no question."""
    rows = questions("test")
    asked = [(row["question"], row["context"]) for row in rows]
    found = []
    for start in range(0, len(asked), PORTION):
        some = asked[start : start + PORTION]
        found += client.answer([question for question, _ in some], [context for _, context in some])
    print(f"{client.model().name}: {len(rows)} questions from templates that the head has not seen\n")
    for row, each in list(zip(rows, found, strict=True))[:SHOWN]:
        print(f"{row['context']}\n    {row['question']}  {each.best.text if each.best else '-'}")
    right = [each.best is not None and each.best.text == row["answer"] for row, each in zip(rows, found, strict=True)]
    first = [row["start"] == 0 for row in rows]
    print(f"\nright: {sum(right) / len(right):.2f}; always the first name: {sum(first) / len(first):.2f}")


def show_one(client: Client, question: str, context: str) -> None:
    """Print the answer to one question."""
    best = client.answer(question, context).best
    print(f"{best.score:.2f} {best.text}" if best else "no answer")


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Answer questions about a text, and count those that are right.")
    parser.add_argument("texts", metavar="QUESTION CONTEXT", nargs="*", help="[those of templates.py]")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    arguments = parser.parse_args()
    if len(arguments.texts) not in (0, 2):
        parser.error(f"got {len(arguments.texts)} texts; none, or a question and its context are valid")
    try:
        with Client(arguments.target, timeout=300) as client:
            if arguments.texts:
                show_one(client, *arguments.texts)
            else:
                show_all(client)
    except PolysemeError as error:
        print(f"answers: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
