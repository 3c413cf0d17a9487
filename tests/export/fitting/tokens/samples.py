"""Texts whose spans a head can find by their letters alone: numbers, and words of z."""

import random

from polyseme.export.fitting.tokens.spans import spanned
from polyseme.runtime.text.offsets import OffsetUnit

WORDS = ("call", "me", "at", "noon", "or", "not", "on", "the", "farm")


def rows(count, seed=7):
    """So many texts, each with its spans as a file has them."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        words, spans, at = [], [], 0
        for _ in range(draw.randint(3, 7)):
            kind = draw.choice(["NUM", "ZED", "", ""])
            letters = {"NUM": "0123456789", "ZED": "z"}.get(kind)
            length = draw.randint(1, 3)
            word = draw.choice(WORDS) if letters is None else "".join(draw.choice(letters) for _ in range(length))
            if kind:
                spans.append({"start": at, "end": at + len(word), "label": kind})
            words.append(word)
            at += len(word) + 1
        made.append((" ".join(words), spans))
    return made


def sample(count, seed=7):
    """The same, checked."""
    each = rows(count, seed)
    places = [f"line {number}" for number in range(1, count + 1)]
    return spanned([text for text, _ in each], [spans for _, spans in each], places, OffsetUnit.CODE_POINT)
