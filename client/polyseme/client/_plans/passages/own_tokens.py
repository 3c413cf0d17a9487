"""The tokens of a document by the part of it that they stand for. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from polyseme.client._arguments.passages import Span
from polyseme.client._plans.passages.windows import Window
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.results import TokenizedText


class OwnTokens:
    """The tokens of a document that stand for a part of it, without those that are put around it."""

    def __init__(self, tokens: TokenizedText) -> None:
        own = [index for index, (start, end) in enumerate(tokens.offsets) if end > start]
        self._words = [tokens.word_ids[index] for index in own]
        self._starts = [tokens.offsets[index][0] for index in own]
        self._ends = list(accumulate((tokens.offsets[index][1] for index in own), max))

    def __len__(self) -> int:
        return len(self._starts)

    def of(self, span: Span, name: str, limit: int) -> range:
        """Find the tokens from the first to the last that overlaps a passage."""
        tokens = range(bisect_right(self._ends, span[0]), bisect_left(self._starts, span[1]))
        if not tokens:
            raise InvalidArgumentError(f"{name} has no token that the model sees", field=name)
        if len(tokens) > limit:
            raise InvalidArgumentError(
                f"{name} has {len(tokens)} tokens; limit {limit} in a document that is longer than the model takes",
                field=name,
            )
        return tokens

    def context(self, window: Window, passages: Sequence[range]) -> Span:
        """Give (start, end) of a window, less the words at its ends of which it and none of its passages has a part."""
        first = min(passages[index].start for index in window.passages)
        last = max(passages[index].stop for index in window.passages)
        start, stop = window.tokens.start, window.tokens.stop
        while start < first and self._splits_word(start):
            start += 1
        while stop > last and self._splits_word(stop):
            stop -= 1
        return self._starts[start], self._ends[stop - 1]

    def _splits_word(self, index: int) -> bool:
        """Say whether the token at an index goes on with the word of the one before it."""
        inside = 0 < index < len(self)
        return inside and self._words[index] is not None and self._words[index] == self._words[index - 1]
