"""Labels of tokens from labelled spans: O, and of each label B- for its first token and I- for those that go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import TOKENIZER, Artifact
from polyseme.export.fitting.texts import FitError, first_places
from polyseme.export.fitting.tokens.spans import LabelledSpan, SpannedTexts
from polyseme.runtime.heads.entities import OUTSIDE, Aggregation, entities, group_of
from polyseme.runtime.text.inputs import Fit, TokenizedInput, windows
from polyseme.runtime.text.offsets import Overlaps
from polyseme.runtime.text.tokenizer import Tokenizer

IntArray = npt.NDArray[np.int64]
Found = frozenset[tuple[int, int, str]]
"""Entities of a text: start, end, label."""
MOST_TOKENS: Final = 200_000
"""Some minutes on two cores with 384 dimensions and seven layers."""
_PORTION: Final = 1_000  # texts that are tokenized together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaggedText:
    """One text, cut to the model's length, and its own tokens; [CLS] and its like are not.

    Attributes:
        tokens: uncut.
        ids: [S] int32, that the model sees.
        rows: [T] int32, which of these are the text's own.
        places: T of them, where these are in the uncut text.
        gold: the spans as `entities` would give them.
    """

    tokens: TokenizedInput
    ids: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    places: Sequence[int]
    gold: Found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaggedTexts:
    """Texts and the labels of their tokens.

    Attributes:
        texts: N of them.
        labels: of the head; C of them, O and then those that tokens have.
        groups: labels of spans, sorted.
        numbers: [T] the label of each token, text after text.
        firsts: [N + 1], where the tokens of each text begin.
        beyond: spans that are behind the end of what the model takes, and so left out.
    """

    texts: tuple[TaggedText, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    numbers: IntArray
    firsts: IntArray
    beyond: int

    def __len__(self) -> int:
        return len(self.texts)

    def of_tokens(self, of_texts: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Repeat what [N] texts have for each of their tokens, [T]."""
        return np.repeat(of_texts, np.diff(self.firsts))

    def found(self, text: int, logits: npt.NDArray[np.floating]) -> Found:
        """Give the entities that [T, C] logits of a text's tokens make, as TagTokens joins them by default."""
        one = self.texts[text]
        joined = entities(
            "",  # which words there are does not matter
            one.tokens,
            one.places,
            logits.astype(np.float32),
            self.labels,
            Aggregation.SIMPLE,
            marks_subwords=False,
            unknown_ids=frozenset(),
        )
        return frozenset((each.start, each.end, group_of(self.labels[each.label])) for each in joined)


def tagged(artifact: Artifact, spanned: SpannedTexts) -> TaggedTexts:
    """Give the tokens of texts their labels; a text that is too long is cut at its end.

    Args:
        artifact: whose tokenizer and length count.
        spanned: N texts with their spans.

    Raises:
        FitError: a text has no token, there are too many, or a span begins or ends inside of one: the places of the
            first; or all tokens have one label.
        TokenizerError: the tokenizer cannot be read.
    """
    possible = (OUTSIDE, *(prefix + group for group in spanned.labels for prefix in ("B-", "I-")))
    numbers = {label: number for number, label in enumerate(possible)}
    texts, of_tokens, beyond = [], list[int](), 0
    empty, inside = [], []
    for text, spans, place, tokens in zip(
        spanned.texts, spanned.spans, spanned.places, _tokens(artifact, spanned.texts), strict=True
    ):
        if not any(each == 0 for each in tokens.texts):
            empty.append(place)
            continue
        one, here, cut, faults = _one(text, tokens, spans, numbers, artifact.manifest.model.max_tokens)
        inside += [f"{place} ({start}..{end})" for start, end in faults]
        beyond += cut
        of_tokens += here
        texts.append(one)
        if len(of_tokens) > MOST_TOKENS:
            raise FitError(
                f"{len(of_tokens)} tokens in the first {len(texts)} of {len(spanned)} rows; limit {MOST_TOKENS}"
            )
    if empty:
        raise FitError(f"{len(empty)} rows have no token: {first_places(empty)}")
    if inside:
        raise FitError(f"{len(inside)} spans begin or end inside of a token of this model: {first_places(inside)}")
    used, dense = np.unique(np.array(of_tokens, dtype=np.int64), return_inverse=True)
    if len(used) < 2:
        raise FitError(f"{len(used)} labels of tokens; at least 2 are needed, and {OUTSIDE} for no span is one")
    return TaggedTexts(
        texts=tuple(texts),
        labels=tuple(possible[number] for number in used),
        groups=spanned.labels,
        numbers=dense.reshape(-1).astype(np.int64),
        firsts=np.cumsum([0, *(len(one.places) for one in texts)]),
        beyond=beyond,
    )


def _tokens(artifact: Artifact, texts: Sequence[str]) -> Iterator[TokenizedInput]:
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=artifact.manifest.model.encoder.vocab_size)
    for start in range(0, len(texts), _PORTION):
        yield from tokenizer.inputs([(text, None) for text in texts[start : start + _PORTION]])


def _one(
    text: str, tokens: TokenizedInput, spans: Sequence[LabelledSpan], numbers: dict[str, int], limit: int
) -> tuple[TaggedText, list[int], int, list[tuple[int, int]]]:
    """Give a text, the labels of its tokens, how many spans were cut off, and those that are not of whole tokens."""
    (cut_places,) = windows(tokens, limit, Fit.LONGEST_FIRST, 0, is_pair=False, most=1)
    places = cut_places.tolist()
    rows = [row for row, place in enumerate(places) if tokens.texts[place] == 0]
    own = [places[row] for row in rows]
    ranges = [_range(text, *tokens.offsets[place]) for place, of in enumerate(tokens.texts) if of == 0]
    kept, cut = len(own), 0
    of_tokens = [numbers[OUTSIDE]] * kept
    gold, faults, over = set(), [], Overlaps(ranges)
    for start, end, label in spans:
        covered = over.over(start, end)
        if not covered or (ranges[covered[0]][0], ranges[covered[-1]][1]) != (start, end):
            faults.append((start, end))
        elif covered[-1] >= kept:
            cut += 1
        else:
            for i in covered:
                of_tokens[i] = numbers[f"{'B' if i == covered[0] else 'I'}-{label}"]
            gold.add((tokens.offsets[own[covered[0]]][0], tokens.offsets[own[covered[-1]]][1], label))
    one = TaggedText(
        tokens=tokens,
        ids=tokens.ids[places],
        rows=np.array(rows, dtype=np.int32),
        places=own,
        gold=frozenset(gold),
    )
    return one, of_tokens, cut, faults


def _range(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out the white space that some vocabularies count to a token; not of a token of white space alone."""
    part = text[start:end]
    if not part.strip():
        return start, end
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
