"""One word, a vector for each context: the word *bank*, compared layer by layer, and where else it is used so.

Usage: python examples/bank.py [--target HOST:PORT]

The target is a server: `make serve` leaves one on localhost:50051, the default.
"""

from __future__ import annotations

import argparse
import sys
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from polyseme.client import Client, Mention, PolysemeError, Word

MONEY = "I deposited the check at the bank."
RIVER = "We sat on the bank of the river."
ROBBER = "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."
OTHERS = [
    "The bank raised its interest rates.",
    "She opened an account with her bank.",
    "They walked along the grassy bank of the canal.",
    "The canoe was pulled up on the bank.",
    "Reeds grow along the muddy bank of the stream.",
    "He borrowed money for a house.",
]
LAST_FOUR = (-4, -3, -2, -1)


def show_layers(client: Client, num_hidden_layers: int) -> None:
    """Compare the two sentences' *bank*, layer by layer."""
    layers: tuple[int | Literal["static"], ...] = ("static", *range(num_hidden_layers + 1))
    money, river = (
        client.embed_words(text, words="bank", layers=layers, combine="none").vectors[:, 0] for text in (MONEY, RIVER)
    )
    print(f"*bank* of  {MONEY}\n   and of  {RIVER}\n")
    for layer, a, b in zip(layers, money, river, strict=True):
        print(f"  {layer if layer == 'static' else f'layer {layer}':<12} {cosine(a, b):.4f}")
    print(f"  {'last four':<12} {client.word_similarity((MONEY, 'bank'), (RIVER, 'bank'), layers=LAST_FOUR):.4f}\n")


def show_robber(client: Client) -> None:
    """Compare the three *bank*s of one sentence."""
    vault, robber, river = ((ROBBER, Word("bank", occurrence=number)) for number in (1, 2, 3))
    print(f"{ROBBER}\n\n  {'':<12} robber, vault   robber, river")
    choices: tuple[tuple[str, tuple[int, ...]], ...] = (("last four", LAST_FOUR), ("last layer", (-1,)))
    for name, layers in choices:
        same = client.word_similarity(robber, vault, layers=layers)
        other = client.word_similarity(robber, river, layers=layers)
        print(f"  {name:<12} {same:13.4f}   {other:13.4f}")


def show_closest(client: Client, k: int = 5) -> None:
    """Of all words of the other sentences, those closest to *bank* in each of the two."""
    found = client.embed_words(OTHERS)
    mentions = [Mention(text, span=span) for text, words in zip(OTHERS, found, strict=True) for span in words.spans]
    print(f"\nThe closest of {len(mentions)} words of {len(OTHERS)} sentences, by the sum of the last four layers:")
    for text in (MONEY, RIVER):
        print(f"\n  *bank* of {text}")
        for score, index in zip(*client.top_k(Mention(text, "bank"), mentions, k, layers=LAST_FOUR), strict=True):
            print(f"    {score:.2f}  {marked(mentions[index])}")


def marked(mention: Mention) -> str:
    """The text, with stars around the word."""
    start, end = mention.span or (0, len(mention.text))
    return f"{mention.text[:start]}*{mention.text[start:end]}*{mention.text[end:]}"


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Cosine of the angle between two vectors."""
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def show(target: str) -> None:
    """Print all three."""
    with Client(target) as client:
        model = client.model()
        print(f"{model.identity.name}, {model.num_hidden_layers} layers; cosine: 1 is the same direction\n")
        show_layers(client, model.num_hidden_layers)
        show_robber(client)
        show_closest(client)


def main() -> int:
    """Read the command line, and show it; one line where the server cannot be called."""
    parser = argparse.ArgumentParser(description="Compare the word bank in several sentences, layer by layer.")
    parser.add_argument("--target", metavar="HOST:PORT", default="localhost:50051", help="server to call [%(default)s]")
    try:
        show(parser.parse_args().target)
    except PolysemeError as error:
        print(f"bank: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
