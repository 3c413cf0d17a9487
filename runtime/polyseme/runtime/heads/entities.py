"""From scores of tokens to entities: strategies and names as in transformers' TokenClassificationPipeline.

Beside B- and I- the prefixes of longer schemes are known: S- and U- begin an entity and end it, E- and L- end it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.runtime.text.inputs import TokenizedInput

OUTSIDE: Final = "O"
_BEGINS: Final = ("B", "S", "U")
_ENDS: Final = ("E", "L", "S", "U")
_PREFIXES: Final = ("B", "I", "E", "S", "L", "U")


class Aggregation(Enum):
    """The ways from labels of tokens to entities.

    NONE gives each token. SIMPLE joins neighbours of one group. The others give each word one label first: that of its
    first token, of the mean of its tokens' scores, or of its surest token.
    """

    NONE = "none"
    SIMPLE = "simple"
    FIRST = "first"
    AVERAGE = "average"
    MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A part of a text, and what it is.

    Attributes:
        start: in code points.
        end: exclusive.
        label: of which label it is, as an index; of its first token or word.
        score: of the label, the mean over its tokens or words.
        tokens: the tokens that it covers, by their places in the uncut text.
    """

    start: int
    end: int
    label: int
    score: float
    tokens: tuple[int, ...]


def groups(labels: Sequence[str]) -> list[str]:
    """Give the kinds of entities that a scheme's labels tell, without the prefixes, each once, in order: PER, LOC."""
    return list(dict.fromkeys(_parted(label)[1] for label in labels if label != OUTSIDE))


def group_of(label: str) -> str:
    """Give the kind of entity that a label tells; of O, O."""
    return _parted(label)[1]


def entities(
    text: str,
    tokens: TokenizedInput,
    places: Sequence[int],
    scores: npt.NDArray[np.float32],
    labels: Sequence[str],
    aggregation: Aggregation,
    *,
    marks_subwords: bool,
    unknown_ids: frozenset[int],
) -> list[Entity]:
    """Find the entities of one window.

    Args:
        text: the whole text.
        tokens: of the whole text.
        places: of the window's tokens.
        scores: [T, C] of the window's tokens.
        labels: C of them.
        aggregation: how tokens become entities.
        marks_subwords: as the tokenizer has it.
        unknown_ids: as the tokenizer has them.
    """
    own = [(place, row) for row, place in enumerate(places) if tokens.texts[place] == 0]
    found = [_of_token(tokens, place, scores[row]) for place, row in own]
    if aggregation is Aggregation.NONE:
        return [one for one in found if labels[one.label] != OUTSIDE]
    if aggregation is not Aggregation.SIMPLE:
        found = []
        for word in _words(text, tokens, own, marks_subwords=marks_subwords, unknown_ids=unknown_ids):
            found.append(_of_word(tokens, [place for place, _ in word], scores[[row for _, row in word]], aggregation))
    joined = (_join(group) for group in _neighbours(found, labels))
    return [one for one in joined if labels[one.label] != OUTSIDE]


def merged(found: Sequence[Entity]) -> list[Entity]:
    """Merge the entities of overlapping windows: of those that overlap the longest, then the surest."""
    kept: list[Entity] = []
    for one in sorted(found, key=lambda entity: (entity.start, entity.end)):
        # Tokens of spaces may have no characters: they overlap themselves alone.
        again = kept and (kept[-1].start, kept[-1].end) == (one.start, one.end)
        if not kept or not (again or kept[-1].start <= one.start < kept[-1].end):
            kept.append(one)
        elif (one.end - one.start, one.score) > (kept[-1].end - kept[-1].start, kept[-1].score):
            kept[-1] = one
    return kept


def _of_token(tokens: TokenizedInput, place: int, scores: npt.NDArray[np.float32]) -> Entity:
    label = int(scores.argmax())
    start, end = tokens.offsets[place]
    return Entity(start=start, end=end, label=label, score=float(scores[label]), tokens=(place,))


def _of_word(
    tokens: TokenizedInput, places: Sequence[int], scores: npt.NDArray[np.float32], aggregation: Aggregation
) -> Entity:
    if aggregation is Aggregation.FIRST:
        row = scores[0]
    elif aggregation is Aggregation.MAX:
        row = scores[int(scores.max(axis=1).argmax())]
    else:
        row = scores.mean(axis=0)
    label = int(row.argmax())
    start, end = tokens.offsets[places[0]][0], tokens.offsets[places[-1]][1]
    return Entity(start=start, end=end, label=label, score=float(row[label]), tokens=tuple(places))


def _words(
    text: str,
    tokens: TokenizedInput,
    own: Sequence[tuple[int, int]],
    *,
    marks_subwords: bool,
    unknown_ids: frozenset[int],
) -> Iterator[list[tuple[int, int]]]:
    """Tokens by word. Where tokens do not show that they go on a word, a space before them does."""
    word: list[tuple[int, int]] = []
    for place, row in own:
        start, end = tokens.offsets[place]
        if int(tokens.ids[place]) in unknown_ids:
            goes_on = False
        elif marks_subwords:
            goes_on = len(tokens.tokens[place]) != end - start
        else:
            goes_on = start > 0 and " " not in text[start - 1 : start + 1]
        if word and not goes_on:
            yield word
            word = []
        word.append((place, row))
    if word:
        yield word


def _neighbours(found: Sequence[Entity], labels: Sequence[str]) -> Iterator[list[Entity]]:
    group: list[Entity] = []
    for one in found:
        if group:
            (last, last_kind), (prefix, kind) = _parted(labels[group[-1].label]), _parted(labels[one.label])
            if kind != last_kind or prefix in _BEGINS or last in _ENDS:
                yield group
                group = []
        group.append(one)
    if group:
        yield group


def _join(group: Sequence[Entity]) -> Entity:
    return Entity(
        start=group[0].start,
        end=group[-1].end,
        label=group[0].label,
        score=float(np.mean([one.score for one in group], dtype=np.float32)),
        tokens=tuple(token for one in group for token in one.tokens),
    )


def _parted(label: str) -> tuple[str, str]:
    """Prefix and kind: B-PER gives B and PER; a label without a prefix has none."""
    if label[1:2] == "-" and label[0] in _PREFIXES and len(label) > 2:
        return label[0], label[2:]
    return "", label
