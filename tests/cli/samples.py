"""What `polyseme senses` finds, without a server."""

import numpy as np

from polyseme.cli.senses.occurrences import Occurrence, Senses, cosines_of

TEXT = "It was there, " + "w" * 18 + " on the far bank of the " + "m" * 20 + " river, as everybody knew."
HOSTILE = "$x^2$ <b>&amp; 北京 bank \\frac{1}{2} 👩‍👩‍👧 $"


def occurrence(text, sentence=0, word="bank"):
    start = text.index(word)
    return Occurrence(sentence, text, start, start + len(word))


def senses(count, *, apart=1.0, states=8, text=TEXT, chosen=None, model="tiny", word="bank"):
    """Random vectors that part from each other layer by layer."""
    generator = np.random.default_rng(1)
    own = apart * generator.normal(size=(1, count, 64))
    vectors = generator.normal(size=(1, 1, 64)) + np.linspace(0, 1, states)[:, None, None] * own
    chosen = chosen or (states - 1,)
    return Senses(
        word=word,
        model=model,
        occurrences=tuple(occurrence(text, sentence, word) for sentence in range(count)),
        layers=("static", *map(str, range(states - 1))),
        cosines=cosines_of(vectors),
        chosen=chosen,
        matrix=cosines_of(vectors[list(chosen)].sum(axis=0, keepdims=True))[0],
    )
