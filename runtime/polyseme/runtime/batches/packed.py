"""Texts of token ids, one after another, for one run of a packed graph. Pure: numpy alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from polyseme.artifact.graphs import CUMULATIVE_LENGTHS, INPUT_IDS, LONGEST_STEP, POSITION_IDS, TEXT_IDS, TEXTS
from polyseme.runtime.batches.padded import Ids, Int32Array
from polyseme.runtime.batches.positions import packed_position_ids
from polyseme.runtime.batches.token_types import TokenTypes


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedBatch:
    """The inputs of a packed graph.

    Attributes:
        input_ids: [T] int32, text after text.
        lengths: [B] int32, tokens of each text; 0 for texts that only fill a bucket.
        longest: S, no less than any length.
        padding_idx: as the model's spec has it; None: the position of a token is its place.
        type_rows: [T] int32, how many rows further on a token's position is for its type; None: there is one type.
    """

    input_ids: Int32Array
    lengths: Int32Array
    longest: int
    padding_idx: int | None = None
    type_rows: Int32Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(B, S), S rounded up to a `LONGEST_STEP`."""
        return len(self.lengths), -(-self.longest // LONGEST_STEP) * LONGEST_STEP

    @property
    def starts(self) -> Int32Array:
        """[B] int32, where each text begins."""
        starts: Int32Array = self._cumulative()[:-1]
        return starts

    def feeds(self) -> dict[str, Int32Array]:
        """Give the inputs of the graph, but for `token_offset` [B, S], of which the shape alone is read.

        Returns:
            int32 arrays by name; `polyseme.artifact.graphs` has their shapes.
        """
        texts = np.arange(len(self.lengths), dtype=np.int32)
        return {
            INPUT_IDS: self.input_ids[None],
            POSITION_IDS: self._position_ids()[None],
            TEXT_IDS: np.repeat(texts, self.lengths)[None],
            TEXTS: texts[:, None],
            CUMULATIVE_LENGTHS: self._cumulative(),
        }

    def fitted(self, bucket: Bucket, filler: int) -> PackedBatch:
        """Add texts behind these, so that together they fill a bucket.

        Args:
            bucket: the shape to fill; these texts fit into it.
            filler: any id of the vocabulary.
        """
        missing = bucket.tokens - len(self.input_ids)
        whole, rest = divmod(missing, bucket.longest)
        lengths = np.zeros(bucket.texts, dtype=np.int32)
        lengths[: len(self.lengths)] = self.lengths
        lengths[len(self.lengths) : len(self.lengths) + whole] = bucket.longest
        if rest:
            lengths[len(self.lengths) + whole] = rest
        ids = np.full(bucket.tokens, filler, dtype=np.int32)
        ids[: len(self.input_ids)] = self.input_ids
        type_rows = None if self.type_rows is None else np.pad(self.type_rows, (0, missing))
        return replace(self, input_ids=ids, lengths=lengths, longest=bucket.longest, type_rows=type_rows)

    def _position_ids(self) -> Int32Array:
        if self.padding_idx is not None:
            return packed_position_ids(self.input_ids, self.lengths, self.padding_idx)
        places: Int32Array = np.arange(len(self.input_ids), dtype=np.int32) - np.repeat(self.starts, self.lengths)
        return places if self.type_rows is None else places + self.type_rows

    def _cumulative(self) -> Int32Array:
        cumulative = np.zeros(len(self.lengths) + 1, dtype=np.int32)
        np.cumsum(self.lengths, out=cumulative[1:])
        return cumulative


def pack(sequences: Sequence[Ids], padding_idx: int | None = None, *, types: TokenTypes | None = None) -> PackedBatch:
    """Put sequences of token ids one after another.

    Args:
        sequences: B >= 1 sequences of at least one id each.
        padding_idx: of the model's spec.
        types: of the model, where it has two.

    Raises:
        ValueError: no sequence, or an empty one: a text without a token has no mean.
    """
    lengths = np.fromiter(map(len, sequences), dtype=np.int32, count=len(sequences))
    if not lengths.size or not lengths.min():
        raise ValueError(f"pack needs 1 or more sequences of 1 or more ids; got lengths {lengths.tolist()[:8]}")
    ids = np.concatenate([np.asarray(ids, dtype=np.int32) for ids in sequences])
    type_rows = None
    if types is not None:
        ids, type_rows = types.split(ids)
    return PackedBatch(
        input_ids=ids, lengths=lengths, longest=int(lengths.max()), padding_idx=padding_idx, type_rows=type_rows
    )


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """A shape for which a session is prepared.

    Attributes:
        tokens: T, exactly.
        texts: B, exactly, with those that only fill it.
        longest: S, most tokens of a text.
    """

    tokens: int
    texts: int
    longest: int

    @classmethod
    def of(cls, tokens: int, max_tokens: int, texts: int | None = None) -> Bucket:
        """Make the bucket of so many tokens.

        Args:
            tokens: T.
            max_tokens: most tokens of a text that the model takes.
            texts: most texts of a batch; texts that fill the bucket come on top. Default: tokens / 32, at least 32.
        """
        longest = min(tokens, max_tokens)
        texts, fillers = texts or max(32, tokens // 32), -(-tokens // longest)
        return cls(tokens=tokens, texts=min(texts, tokens) + fillers, longest=longest)

    def takes(self, batch: PackedBatch) -> bool:
        """Tell whether a batch fits, together with the texts that fill the rest."""
        missing = self.tokens - len(batch.input_ids)
        if missing < 0 or batch.longest > self.longest:
            return False
        return len(batch.lengths) - (-missing // self.longest) <= self.texts


def smallest(buckets: Iterable[Bucket], batch: PackedBatch) -> Bucket | None:
    """Choose the first bucket, in ascending order, that takes a batch; None where none does."""
    return next((bucket for bucket in buckets if bucket.takes(batch)), None)
