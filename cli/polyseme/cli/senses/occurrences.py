"""Find a word in several sentences, and compare its vectors, layer by layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from polyseme.cli.arguments.words import explained
from polyseme.cli.errors import CliError
from polyseme.cli.output.lines import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    import numpy as np
    import numpy.typing as npt

    from polyseme.client import Client, TextOptions, Word

MAX_OCCURRENCES: Final = 1000  # occurrences; their cosines are S x K x K numbers
_LAST_FOUR: Final = 4
_LONGEST_WORD: Final = 40  # characters


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a word in a sentence.

    Attributes:
        sentence: index of the sentence, from 0.
        text: the whole sentence.
        start: offset of the word, in code points.
        end: offset of its end, in code points; exclusive.
    """

    sentence: int
    text: str
    start: int
    end: int

    def in_context(self, around: int | None = None) -> tuple[str, str, str]:
        """Give the text before the word, the word, and the text after it, to print on one line.

        Args:
            around: largest number of characters on each side; None: all.
        """
        before, word, after = (
            one_line(text)
            for text in (self.text[: self.start], self.text[self.start : self.end], self.text[self.end :])
        )
        if around is None:
            return before, word, after
        if len(word) > _LONGEST_WORD:
            word = word[: _LONGEST_WORD - 1] + "…"
        return _end_of(before, around), word, _start_of(after, around)


def _end_of(text: str, width: int) -> str:
    """Give the end of a text, from the beginning of a word where one is near."""
    if len(text) <= width:
        return text
    end = text[-width - 1 :]
    space = end.find(" ", 0, width - 3)
    return "…" + end[max(space, 0) + (space < 0) :]


def _start_of(text: str, width: int) -> str:
    """Give the start of a text, to the end of a word where one is near."""
    if len(text) <= width:
        return text
    start = text[: width + 1]
    space = start.rfind(" ", 3)
    return (start[:width] if space < 0 else start[: space + 1]) + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Senses:
    """All occurrences of a word, and the cosines between them.

    Attributes:
        word: the word.
        model: the model's name.
        occurrences: the K occurrences.
        layers: names of the S layers: "static", "0" .. "L".
        cosines: [S, K, K] between the occurrences, -1 .. 1.
        chosen: indices of the layers whose sum was asked for.
        matrix: [K, K] cosines of that sum.
    """

    word: str
    model: str
    occurrences: tuple[Occurrence, ...]
    layers: tuple[str, ...]
    cosines: npt.NDArray[np.float64]
    chosen: tuple[int, ...]
    matrix: npt.NDArray[np.float64]

    @property
    def shown(self) -> str:
        """The layer that was asked for, in words."""
        return layer_name(self.layers[self.chosen[0]]) if len(self.chosen) == 1 else "the sum of the last four layers"


def layer_name(layer: str) -> str:
    """Name a layer for people."""
    return layer if layer == "static" else f"layer {layer}"


def find_senses(
    client: Client, word: Word, sentences: Sequence[str], layer: str, **options: Unpack[TextOptions]
) -> Senses:
    """Ask the server for every occurrence of a word, at every layer.

    Args:
        client: the client to call with.
        word: the word; its occurrence must be 0, all of them.
        sentences: the sentences; each must have the word in it.
        layer: "last", "static", "sum4", or a number.
        **options: options of the call.

    Raises:
        CliError: a sentence lacks the word; the model has no such layer; there are too many occurrences.
    """
    import numpy as np

    from polyseme.client import InvalidArgumentError

    model = client.model()
    chosen = _chosen_layers(layer, model.num_hidden_layers)
    layers = ("static", *range(model.num_hidden_layers + 1))
    try:
        found = client.embed_words(list(sentences), words=[word], layers=layers, combine="none", **options)
    except InvalidArgumentError as error:
        raise explained(error, "sentence") from error
    occurrences = tuple(
        Occurrence(at, sentence, start, end)
        for at, (sentence, each) in enumerate(zip(sentences, found, strict=True))
        for start, end in each.spans
    )
    if len(occurrences) > MAX_OCCURRENCES:
        raise CliError(f"the word occurs {len(occurrences)} times; at most {MAX_OCCURRENCES} are compared")
    vectors = np.concatenate([each.vectors for each in found], axis=1).astype(np.float64)
    return Senses(
        word=word.text,
        model=model.name,
        occurrences=occurrences,
        layers=tuple(map(str, layers)),
        cosines=cosines_of(vectors),
        chosen=chosen,
        matrix=cosines_of(vectors[list(chosen)].sum(axis=0, keepdims=True))[0],
    )


def check_layer(layer: str) -> None:
    """Refuse a name that is no layer of any model.

    Raises:
        CliError: it is none.
    """
    if not re.fullmatch(r"last|static|sum4|-?[0-9]{1,4}", layer):
        raise CliError(f"--layer {layer}: last, static, sum4, or a number", 2)


def _chosen_layers(layer: str, num_hidden_layers: int) -> tuple[int, ...]:
    """Find the layers whose sum is asked for, as indices into static, 0 .. L."""
    last = num_hidden_layers + 1
    if layer == "sum4" and num_hidden_layers >= _LAST_FOUR:
        return tuple(range(last - _LAST_FOUR + 1, last + 1))
    if layer in ("last", "static"):
        return (last if layer == "last" else 0,)
    number = last if layer == "sum4" else int(layer)
    if not -last <= number < last:
        sum4 = " sum4," if num_hidden_layers >= _LAST_FOUR else ""
        raise CliError(f"--layer {layer}: the model has last, static,{sum4} or {-last}..{num_hidden_layers}", 2)
    return (1 + number % last,)


def cosines_of(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute cosines: [S, K, H] to [S, K, K], -1 .. 1."""
    import numpy as np

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-12)
    cosines: npt.NDArray[np.float64] = np.clip(unit @ unit.transpose(0, 2, 1), -1, 1)
    return cosines


def pairs_of(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give each pair of a symmetric matrix once: [K, K] to [K * (K - 1) / 2]."""
    import numpy as np

    pairs: npt.NDArray[np.float64] = matrix[np.triu_indices(len(matrix), 1)]
    return pairs
