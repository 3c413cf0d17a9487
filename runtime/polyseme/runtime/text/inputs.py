"""The input of a head: a text or a pair of texts as tokens, cut to the model's length or spread over windows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt


class Fit(Enum):
    """The treatments of an input that has too many tokens.

    Of a pair, LONGEST_FIRST cuts the ends of both texts, the longer one first; ONLY_SECOND the end of the second;
    WINDOWS repeats the first text before each part of the second. A text alone has its own end cut, or is in parts.
    """

    REFUSE = "refuse"
    LONGEST_FIRST = "longest_first"
    ONLY_SECOND = "only_second"
    WINDOWS = "windows"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedInput:
    """The tokens of a text or a pair, uncut; entry i of every sequence describes token i.

    Attributes:
        ids: [T] int32, special tokens included.
        types: [T], whether the tokenizer counts a token to the second text.
        texts: 0 or 1, which text each token is of; -1 for those that the model puts around them.
        tokens: as the vocabulary spells them.
        offsets: (start, end) in code points of the token's own text.
        word_ids: pre-tokenizer words, counted from 0 in each text; -1 for tokens of no word.
    """

    ids: npt.NDArray[np.int32]
    types: npt.NDArray[np.bool_]
    texts: Sequence[int]
    tokens: Sequence[str]
    offsets: Sequence[tuple[int, int]]
    word_ids: Sequence[int]


class TooLongError(ValueError):
    """An input cannot be fitted; what, got, limit."""


class TooManyWindowsError(ValueError):
    """An input would be in more windows than there may be."""


Places = npt.NDArray[np.int32]
"""[S], where tokens of a window are in the uncut input, ascending."""


def windows(tokens: TokenizedInput, limit: int, fit: Fit, overlap: int, *, is_pair: bool, most: int) -> list[Places]:
    """Give the places of the tokens of each window, in order; one window where nothing is in parts.

    Args:
        tokens: uncut.
        limit: most tokens of a window.
        fit: what becomes of more.
        overlap: tokens of the text that a window has in common with the one before it.
        is_pair: whether two texts were given.
        most: windows; they are counted before any is made, as each may have all but one of its tokens from the last.

    Raises:
        TooLongError: it does not fit, or leaves no room for what is to be cut.
        TooManyWindowsError: it takes more windows.
    """
    if most < 1:
        raise TooManyWindowsError
    surplus = len(tokens.ids) - limit
    if surplus <= 0:
        return [np.arange(len(tokens.ids), dtype=np.int32)]
    if fit is Fit.REFUSE:
        raise TooLongError(f"has {len(tokens.ids)} tokens; limit {limit} (long_texts: refuse)")
    counts = [sum(1 for text in tokens.texts if text == which) for which in (0, 1)]
    if fit is Fit.LONGEST_FIRST:
        return [_without_ends(tokens, _longest_first(counts, surplus))]
    cut = 1 if is_pair else 0
    room = counts[cut] - surplus
    if room < 1:
        rest = len(tokens.ids) - counts[cut]
        what = "the first text" if is_pair else "special tokens"
        raise TooLongError(f"has {rest} tokens of {what}; limit {limit}, of which some are for the rest")
    if fit is Fit.ONLY_SECOND:
        return [_without_ends(tokens, [surplus * (1 - cut), surplus * cut])]
    if overlap >= room:
        raise TooLongError(f"has windows of {room} tokens beside the rest; overlap {overlap} must be less")
    if most < 1 + -(-surplus // (room - overlap)):
        raise TooManyWindowsError
    return list(_parts(tokens, cut, room, room - overlap))


def _longest_first(counts: list[int], surplus: int) -> list[int]:
    """Count the tokens that each text loses, as the tokenizers library has it."""
    limit = sum(counts) - surplus
    less = min(counts)
    kept = [less, max(less, limit - less)] if less <= limit else [less, less]
    if sum(kept) > limit:
        kept = [limit // 2, limit // 2 + limit % 2]
    if counts[0] > counts[1]:
        kept.reverse()
    if not counts[1]:
        kept = [limit, 0]
    return [count - left for count, left in zip(counts, kept, strict=True)]


def _without_ends(tokens: TokenizedInput, lost: list[int]) -> Places:
    kept = np.ones(len(tokens.ids), dtype=np.bool_)
    for which, count in enumerate(lost):
        own = _own(tokens, which)
        kept[own[len(own) - count :]] = False
    return np.flatnonzero(kept).astype(np.int32)


def _parts(tokens: TokenizedInput, which: int, room: int, step: int) -> Iterator[Places]:
    own = _own(tokens, which)
    before = np.arange(own[0], dtype=np.int32)
    after = np.arange(own[-1] + 1, len(tokens.ids), dtype=np.int32)
    for start in range(0, len(own), step):
        yield np.concatenate([before, own[start : start + room], after])
        if start + room >= len(own):
            return


def _own(tokens: TokenizedInput, which: int) -> Places:
    """Give the places of the tokens of one text."""
    return np.flatnonzero(np.asarray(tokens.texts) == which).astype(np.int32)
